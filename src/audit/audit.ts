import { randomUUID } from 'node:crypto'
import { resourceType } from '../model/arn.ts'
import type { Caller, ServiceCaller } from '../model/identities/caller.ts'
import type { AuditRecord } from './entry.ts'
import { eventId } from './event-id.ts'
import type { Journal } from './journal.ts'
import { limited, shortened } from './limits.ts'
import { userIdentity } from './user-identity.ts'

/** The audit entry of a call in progress, which the pipeline fills in step by step. */
export interface Entry {
  readonly eventId: string
  readonly requestId: string
  /** CloudTrail's eventSource of the API. */
  readonly eventSource: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly sourceAddress: string
  readonly userAgent: string | undefined
  caller: Caller | undefined
  operation: { readonly name: string; readonly readOnly: boolean } | undefined
  /** ARNs. */
  resources: readonly string[] | undefined
  /** Only the members that the operation declares as recorded. */
  requestParameters: Readonly<Record<string, unknown>> | undefined
  responseElements: Readonly<Record<string, unknown>> | undefined
  additionalEventData: Readonly<Record<string, unknown>> | undefined
  /** Why the policies refuse the call. */
  reasons: readonly string[] | undefined
}

/** The error of a call, as its API reported it to the caller. */
export interface RecordedError {
  readonly code: string
  readonly message: string
}

export interface Audit {
  /** Rejects if no record can be written right now. */
  check(): Promise<void>
  open(request: Pick<Entry, 'eventSource' | 'sourceAddress' | 'userAgent'>): Entry
  /** The record of a call, as far as it is known. @param error if it failed */
  record(entry: Entry, error?: RecordedError): AuditRecord
  /**
   * The record of an action of the gateway itself, such as the deletion of a key.
   *
   * @param resource ARN, if any
   * @param member where CloudTrail has the details of that event
   * @param invokedBy the service that the gateway stands for; default: the gateway
   */
  event(
    name: string,
    resource: string | undefined,
    details: Readonly<Record<string, unknown>>,
    options?: { readonly member?: 'additionalEventData' | 'serviceEventDetails'; readonly invokedBy?: string },
  ): AuditRecord
  /** The record of something that happened to the gateway itself, such as its start: of no account, and no change of what it keeps. */
  gatewayEvent(name: string, details: Readonly<Record<string, unknown>>): AuditRecord
}

/** CloudTrail's eventSource of what happens to the gateway itself. */
const gatewaySource = 'strongroom'

/** @param eventSource of the gateway's own actions */
export function createAudit(journal: Journal, clock: () => number, eventSource: string): Audit {
  return {
    check: () => journal.check(),
    open({ eventSource, sourceAddress, userAgent }) {
      const startedAt = clock()
      return {
        eventId: eventId(startedAt),
        requestId: randomUUID(),
        eventSource,
        startedAt,
        sourceAddress,
        userAgent,
        caller: undefined,
        operation: undefined,
        resources: undefined,
        requestParameters: undefined,
        responseElements: undefined,
        additionalEventData: undefined,
        reasons: undefined,
      }
    },
    record: recordOf,
    event: (name, resource, details, { member = 'additionalEventData', invokedBy = 'strongroom' } = {}) => {
      return { ...serviceEvent({ eventSource, name, resource, invokedBy, now: clock() }), [member]: details }
    },
    gatewayEvent: (name, details) => {
      const event = { eventSource: gatewaySource, name, resource: undefined, invokedBy: 'strongroom', now: clock() }
      return { ...serviceEvent(event), readOnly: true, serviceEventDetails: limited(details, { isOperator: true }) }
    },
  }
}

/**
 * The record of a change that was committed before its record could be written.
 *
 * @param unanswered whether the caller certainly got no success response
 */
export function delayed(record: AuditRecord, { unanswered }: { unanswered: boolean }): AuditRecord {
  const { additionalEventData, eventType } = record
  const isUnansweredCall = unanswered && eventType === 'AwsApiCall'
  return {
    ...record,
    additionalEventData: isUnansweredCall ? { ...additionalEventData, answered: false } : additionalEventData,
    addendum: { reason: 'DELIVERY_DELAY' },
  }
}

/** The record of an event of which nothing but its intent was written before the gateway stopped, if storage does not have the change. */
export function notCommitted(intent: AuditRecord): AuditRecord {
  // One of the errors that every AWS API may return: AWS Key Management Service API Reference, "Common Errors".
  const error = { errorCode: 'InternalFailure', errorMessage: 'The gateway stopped before the change was committed.' }
  return delayed({ ...intent, ...error }, { unanswered: true })
}

const common = {
  eventVersion: '1.11',
  eventCategory: 'Management',
  managementEvent: true,
} as const

/** Undefined members are omitted in JSON. */
function recordOf(entry: Entry, error?: RecordedError): AuditRecord {
  const { caller, operation } = entry
  const limits = { isOperator: caller?.type === 'operator' }
  return {
    ...common,
    eventSource: entry.eventSource,
    eventID: entry.eventId,
    requestID: entry.requestId,
    eventTime: new Date(entry.startedAt).toISOString(),
    eventType: 'AwsApiCall',
    eventName: operation?.name,
    readOnly: operation?.readOnly,
    awsRegion: caller?.region || undefined,
    recipientAccountId: caller?.account || undefined,
    userIdentity: caller && userIdentity(caller),
    sourceIPAddress: entry.sourceAddress,
    userAgent: shortened(entry.userAgent),
    requestParameters: entry.requestParameters ? limited(entry.requestParameters, limits) : null,
    responseElements: entry.responseElements ? limited(entry.responseElements, limits) : null,
    additionalEventData: additionalEventData(entry),
    resources: entry.resources && [...new Set(entry.resources)].map(resourceOf),
    errorCode: error && codeOf(error),
    errorMessage: shortened(error?.message),
  }
}

function additionalEventData({ additionalEventData, reasons, caller }: Entry): Record<string, unknown> | undefined {
  const source = caller?.type === 'service' ? sourceOf(caller) : undefined
  if (!additionalEventData && !reasons && !source) return undefined
  return limited({ ...additionalEventData, ...source, ...(reasons && { reasons }) })
}

/** For which resource a service called. */
function sourceOf({ sourceArn, sourceAccount }: ServiceCaller) {
  return sourceAccount === undefined && sourceArn === undefined ? undefined : { sourceArn, sourceAccount }
}

/** CloudTrail has its own name for a denial. */
function codeOf({ code }: RecordedError): string {
  return code === 'AccessDeniedException' ? 'AccessDenied' : code
}

interface ServiceEvent {
  readonly eventSource: string
  readonly name: string
  readonly resource: string | undefined
  readonly invokedBy: string
  readonly now: number
}

function serviceEvent({ eventSource, name, resource, invokedBy, now }: ServiceEvent): AuditRecord {
  const described = resource === undefined ? undefined : resourceOf(resource)
  return {
    ...common,
    eventSource,
    eventID: eventId(now),
    requestID: randomUUID(),
    eventTime: new Date(now).toISOString(),
    eventType: 'AwsServiceEvent',
    eventName: name,
    readOnly: false,
    awsRegion: resource?.split(':')[3] || undefined,
    userIdentity: { accountId: described?.accountId, invokedBy },
    requestParameters: null,
    responseElements: null,
    resources: described && [described],
    recipientAccountId: described?.accountId,
  }
}

function resourceOf(arn: string): { ARN: string; accountId: string; type: string | undefined } {
  return { ARN: arn, accountId: arn.split(':')[4] ?? '', type: resourceType(arn) }
}
