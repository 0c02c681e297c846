import { randomUUID } from 'node:crypto'
import type { FurtherEvent } from '../model/further-event.ts'
import type { AuditRecord, Entry, RecordedError, Request } from './entry.ts'
import { eventId, timeOfEvent } from './event-id.ts'
import type { Journal } from './journal.ts'
import { limited, limitsFor } from './limits.ts'
import { common, recordOf, resourceOf, timeOf } from './record.ts'

export interface Audit {
  /** Rejects if no record can be written right now. */
  check(): Promise<void>
  open(request: Request): Entry
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

/**
 * @param eventSource of the gateway's own actions
 * @param elapsed milliseconds of the monotonic clock, for durations
 */
export function createAudit(
  journal: Journal,
  clock: () => number,
  eventSource: string,
  elapsed: () => number = clock,
): Audit {
  return {
    check: () => journal.check(),
    open({ eventSource, sourceAddress, userAgent, host, tls }) {
      const startedAt = clock()
      return {
        eventId: eventId(startedAt),
        requestId: randomUUID(),
        eventSource,
        startedAt,
        elapsedAtStart: elapsed(),
        sourceAddress,
        userAgent,
        host,
        tls,
        caller: undefined,
        operation: undefined,
        resources: undefined,
        owner: undefined,
        requestParameters: undefined,
        responseElements: undefined,
        additionalEventData: undefined,
        material: undefined,
        change: undefined,
        reasons: undefined,
      }
    },
    record: (entry, error) => recordOf(entry, error, elapsed()),
    event: (name, resource, details, { member = 'additionalEventData', invokedBy = 'strongroom' } = {}) => {
      return { ...serviceEvent({ eventSource, name, resource, invokedBy, now: clock() }), [member]: details }
    },
    gatewayEvent: (name, details) => gatewayRecord(name, details, clock()),
  }
}

/** See gatewayEvent. @param now milliseconds since the epoch */
export function gatewayRecord(name: string, details: Readonly<Record<string, unknown>>, now: number): AuditRecord {
  return {
    ...serviceEvent({ eventSource: gatewaySource, name, resource: undefined, invokedBy: 'strongroom', now }),
    readOnly: true,
    serviceEventDetails: limited(details, limitsFor({ type: 'operator' }).members),
  }
}

/**
 * The record of a change that was committed before its record could be written.
 *
 * @param unanswered whether the caller certainly got no success response
 */
export function delayed(record: AuditRecord, { unanswered }: { unanswered: boolean }): AuditRecord {
  const told = unanswered && record.eventType === 'AwsApiCall' ? withOurData(record, { answered: false }) : record
  return { ...told, addendum: { reason: 'DELIVERY_DELAY' } }
}

/**
 * The record of a change that the journal of another gateway, or a former one, did not get as far as storage knows.
 *
 * @param journal UUID of that one, in which the record may be nevertheless
 * @param gateway name of the gateway that had it
 */
export function takenOver(record: AuditRecord, journal: string, gateway: string | undefined): AuditRecord {
  return withOurData(delayed(record, { unanswered: false }), { takenOverFrom: { journal, gateway } })
}

/** The record of an event of which nothing but its intent was written before the gateway stopped, if storage does not have the change. */
export function notCommitted(intent: AuditRecord): AuditRecord {
  // One of the errors that every AWS API may return: AWS Key Management Service API Reference, "Common Errors".
  const error = { errorCode: 'InternalFailure', errorMessage: 'The gateway stopped before the change was committed.' }
  const record = delayed({ ...intent, ...error }, { unanswered: true })
  return record.eventType === 'AwsApiCall' ? withOurData(record, { durationMs: undefined }) : record
}

/** With more of what CloudTrail has no member for. */
function withOurData(record: AuditRecord, data: Readonly<Record<string, unknown>>): AuditRecord {
  const { additionalEventData } = record
  const strongroom = { ...(additionalEventData?.strongroom as object | undefined), ...data }
  return { ...record, additionalEventData: { ...additionalEventData, strongroom } }
}

/**
 * The record of an event that is committed with another one, at the same time: see FurtherEvent.
 *
 * @param cause the record of the other one
 */
export function furtherRecord(cause: AuditRecord, { name, resource, members }: FurtherEvent): AuditRecord {
  const now = timeOfEvent(cause.eventID) ?? Date.parse(cause.eventTime)
  const { eventSource } = cause
  const own = serviceEvent({ eventSource, name, resource, invokedBy: 'strongroom', now })
  if (members === undefined) return { ...own, responseElements: { keyId: resource } }
  const { eventID, eventName, awsRegion, resources, recipientAccountId } = own
  return { ...cause, ...members(cause), eventID, eventName, awsRegion, resources, recipientAccountId }
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
    eventTime: timeOf(now),
    eventType: 'AwsServiceEvent',
    eventName: name,
    readOnly: false,
    awsRegion: resource?.split(':')[3] || undefined,
    userIdentity: { accountId: described?.accountId, invokedBy },
    sourceIPAddress: invokedBy,
    userAgent: invokedBy,
    requestParameters: null,
    responseElements: null,
    resources: described && [described],
    recipientAccountId: described?.accountId,
  }
}
