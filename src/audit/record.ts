/** The record of a call: CloudTrail User Guide, "CloudTrail record contents for management events". */
import { resourceType } from '../model/arn.ts'
import type { Caller } from '../model/identities/caller.ts'
import type { AuditRecord, Entry, RecordedError, Resource } from './entry.ts'
import { limited, limitsFor, shortened } from './limits.ts'
import { userIdentity } from './user-identity.ts'

export const common = {
  eventVersion: '1.11',
  eventCategory: 'Management',
  managementEvent: true,
} as const

/**
 * Undefined members are omitted in JSON.
 *
 * @param now by the monotonic clock
 */
export function recordOf(entry: Entry, error: RecordedError | undefined, now: number): AuditRecord {
  const { caller, operation } = entry
  const limits = limitsFor(caller)
  const resources = entry.resources && resourcesOf(entry.resources)
  const errorCode = error && codeOf(error)
  const service = serviceOf(caller)
  return {
    ...common,
    eventSource: entry.eventSource,
    eventID: entry.eventId,
    requestID: entry.requestId,
    eventTime: timeOf(entry.startedAt),
    eventType: 'AwsApiCall',
    eventName: operation?.name,
    readOnly: operation?.readOnly,
    awsRegion: caller?.region || undefined,
    recipientAccountId: caller && recipientOf(caller, entry, resources),
    sharedEventID: isShared(caller, resources, errorCode) ? entry.eventId : undefined,
    userIdentity: caller && userIdentity(caller),
    sourceIPAddress: service ?? entry.sourceAddress,
    userAgent: service ?? shortened(entry.userAgent, limits.text),
    requestParameters: membersOf(entry.requestParameters, limits.members),
    responseElements: membersOf(entry.responseElements, limits.members),
    additionalEventData: {
      ...entry.additionalEventData,
      ...entry.material?.ids,
      strongroom: ourDataOf(entry, service, now),
    },
    resources,
    errorCode,
    errorMessage: shortened(error?.message, limits.text),
    tlsDetails: entry.tls && { ...entry.tls, clientProvidedHostHeader: shortened(entry.host, limits.text) },
  }
}

/** CloudTrail has null for none. */
function membersOf(members: Entry['requestParameters'], bytes: number): Readonly<Record<string, unknown>> | null {
  for (const _ in members) return limited(members!, bytes)
  return null
}

/** A service has no account: its calls are on record for the owner of what it uses, if it may act for that account. */
function recipientOf(caller: Caller, { owner }: Entry, resources: AuditRecord['resources']): string | undefined {
  if (caller.type !== 'service') return caller.account || undefined
  const account = owner ?? resources?.[0]?.accountId ?? ''
  return caller.accounts.includes(account) ? account : undefined
}

/** Whether other accounts get a copy: see copies.ts. Of what is denied they do not. */
function isShared(caller: Caller | undefined, resources: AuditRecord['resources'], errorCode: string | undefined) {
  if (!caller?.account || errorCode === 'AccessDenied') return false
  return resources?.some(({ accountId }) => accountId !== caller.account) ?? false
}

/** What CloudTrail has no member for. */
function ourDataOf(entry: Entry, service: string | undefined, now: number): Readonly<Record<string, unknown>> {
  const { caller, material, change, sourceAddress, userAgent, reasons, elapsedAtStart } = entry
  const { sourceArn, sourceAccount } = caller?.type === 'service' ? caller : (caller?.via ?? {})
  return {
    ...material?.held,
    ...change,
    ...(service !== undefined && {
      sourceIPAddress: sourceAddress,
      userAgent: shortened(userAgent, limitsFor(caller).text),
      sourceArn,
      sourceAccount,
    }),
    reasons,
    durationMs: Math.round((now - elapsedAtStart) * 10) / 10,
  }
}

/** CloudTrail shows the name of a service, not its address. */
function serviceOf(caller: Caller | undefined): string | undefined {
  return caller?.type === 'service' ? caller.service : caller?.via?.service
}

/** CloudTrail has its own name for a denial. */
function codeOf({ code }: RecordedError): string {
  return code === 'AccessDeniedException' ? 'AccessDenied' : code
}

/** The second to which the text belongs: the same one for thousands of records. */
let second = Number.NaN
let text = ''

/** ISO 8601, UTC, seconds. @param time milliseconds since the epoch */
export function timeOf(time: number): string {
  const now = Math.floor(time / 1000)
  if (now !== second) {
    text = `${new Date(now * 1000).toISOString().slice(0, 19)}Z`
    second = now
  }
  return text
}

function resourcesOf(arns: readonly string[]): readonly Resource[] {
  return arns.length === 1 ? [resourceOf(arns[0]!)] : [...new Set(arns)].map(resourceOf)
}

/** By ARN: the same ones come back with every request. */
const knownResources = new Map<string, Resource>()
/** Callers choose ARNs of up to two kilobytes. */
const mostKnown = 2000

export function resourceOf(arn: string): Resource {
  let resource = knownResources.get(arn)
  if (resource === undefined) {
    resource = { accountId: arn.split(':')[4] ?? '', type: resourceType(arn), ARN: arn }
    if (knownResources.size >= mostKnown) knownResources.clear()
    knownResources.set(arn, resource)
  }
  return resource
}
