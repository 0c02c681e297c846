/** Chooses among audit records: by key, caller, operation, outcome, time. */
import type { AuditRecord } from './entry.ts'
import { callerNames } from './user-identity.ts'

/** All that is given must hold. */
export interface Filter {
  /** Key ID, key ARN, alias name or alias ARN. By an alias: the calls that name it. */
  readonly key?: string | undefined
  /** ARN of a user, role or session; user name, role name, unique ID, access key ID, service principal. */
  readonly caller?: string | undefined
  /** Wire name, with or without the prefix of its API, in any case. */
  readonly operation?: string | undefined
  /** `success`, `failure`, or an error code, with or without `Exception`. */
  readonly outcome?: string | undefined
  /** Event ID, request ID or shared event ID. */
  readonly id?: string | undefined
  /** 12 digits: of which account the event is. */
  readonly account?: string | undefined
  /** Milliseconds since the epoch, inclusive. */
  readonly since?: number | undefined
  /** Milliseconds since the epoch, exclusive. */
  readonly until?: number | undefined
}

/** A record and its line. */
export interface FoundRecord {
  readonly record: AuditRecord
  readonly line: string
}

type Test = (record: AuditRecord) => boolean

/** Undefined for the line of a record that is not chosen, or that is none. */
export function filterOf(filter: Filter): (line: string) => FoundRecord | undefined {
  const tests = testsOf(filter)
  const texts = textsOf(filter)
  const name = nameOf(filter)
  return line => {
    // Parsing takes most of the time.
    if (!texts.every(text => line.includes(text)) || name?.test(line) === false) return undefined
    const record = parsed(line)
    return record && tests.every(test => test(record)) ? { record, line } : undefined
  }
}

/** What every line that is chosen has. */
function textsOf({ key, caller, id, account }: Filter): readonly string[] {
  return [key && lastPart(key), caller, id, account].flatMap(text => (text ? [JSON.stringify(text).slice(1, -1)] : []))
}

/** The same, whatever its case. */
function nameOf({ operation }: Filter): RegExp | undefined {
  return operation === undefined ? undefined : new RegExp(`"eventName":"${operationName(operation)}"`, 'i')
}

function testsOf({ key, caller, operation, outcome, id, account, since, until }: Filter): readonly Test[] {
  const [from, to] = [since ?? Number.NEGATIVE_INFINITY, until ?? Number.POSITIVE_INFINITY]
  const tests: readonly (Test | false)[] = [
    key !== undefined && (record => concerns(record, key)),
    caller !== undefined && (({ userIdentity }) => callerNames(userIdentity).includes(caller)),
    operation !== undefined && (({ eventName }) => eventName?.toLowerCase() === operationName(operation)),
    outcome !== undefined && (({ errorCode }) => hasOutcome(errorCode, outcome)),
    id !== undefined && (record => idsOf(record).includes(id)),
    account !== undefined && (({ recipientAccountId }) => recipientAccountId === account),
    (since ?? until) !== undefined && (({ eventTime }) => isWithin(Date.parse(eventTime), from, to)),
  ]
  return tests.filter(test => test !== false)
}

function isWithin(time: number, from: number, to: number): boolean {
  return time >= from && time < to
}

/** `alias/name`, or the ID of a key. */
function lastPart(key: string): string {
  return /(?:^|:|\/)(alias\/.+)$/.exec(key)?.[1] ?? key.slice(key.lastIndexOf('/') + 1)
}

/** Whether a resource of the record is the key, or the request names it so. */
function concerns({ resources, requestParameters, recipientAccountId }: AuditRecord, key: string): boolean {
  const part = lastPart(key)
  // A name that is no ARN is of the account of the event.
  const isOfAccount = !key.startsWith('arn:') || key.split(':')[4] === recipientAccountId
  const isIt = (text: unknown) =>
    typeof text === 'string' &&
    (text === key || (lastPart(text) === part && (text.startsWith('arn:') ? !key.startsWith('arn:') : isOfAccount)))
  return (
    (resources ?? []).some(({ ARN }) => isIt(ARN)) ||
    Object.entries(requestParameters ?? {}).some(([name, value]) => /key|alias/i.test(name) && isIt(value))
  )
}

function operationName(operation: string): string {
  return operation.slice(operation.lastIndexOf(':') + 1).toLowerCase()
}

function hasOutcome(errorCode: string | undefined, outcome: string): boolean {
  if (outcome === 'success') return errorCode === undefined
  if (outcome === 'failure') return errorCode !== undefined
  return errorCode?.replace(/Exception$/, '') === outcome.replace(/Exception$/, '')
}

function idsOf({ eventID, requestID, sharedEventID }: AuditRecord): readonly unknown[] {
  return [eventID, requestID, sharedEventID]
}

/** Undefined for what is no record. */
function parsed(line: string): AuditRecord | undefined {
  try {
    const record = JSON.parse(line) as unknown
    return isRecord(record) ? record : undefined
  } catch {
    return undefined
  }
}

/** As far as it is read here: somebody else may have written it. */
function isRecord(value: unknown): value is AuditRecord {
  if (!isObject(value)) return false
  const { eventTime, eventName = '', errorCode = '', sourceIPAddress = '', resources, ...rest } = value
  return (
    [eventTime, eventName, errorCode, sourceIPAddress].every(text => typeof text === 'string') &&
    [rest.userIdentity, rest.requestParameters].every(part => part === undefined || part === null || isObject(part)) &&
    (resources === undefined || (Array.isArray(resources) && resources.every(isObject)))
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
