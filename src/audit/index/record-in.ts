import type { AuditRecord } from '../entry.ts'
import { isRecordLine } from '../format.ts'

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z$/

/** The audit record on a line of a journal. Undefined for lines of other kinds, and for damaged ones: others must be found nevertheless. */
export function recordIn(line: string): AuditRecord | undefined {
  if (!isRecordLine(line)) return undefined
  try {
    const record = JSON.parse(line) as AuditRecord
    return isWhole(record) ? record : undefined
  } catch {
    return undefined
  }
}

/** Whether the members that are read without asking are what they should be. Throws for anything but an object. */
function isWhole(record: AuditRecord): boolean {
  const { eventID, eventTime, resources = [], userIdentity = {} } = record
  const { type, arn, userName, accessKeyId } = userIdentity
  const { eventName, eventSource, eventCategory, awsRegion, recipientAccountId, errorCode } = record
  const texts = [eventName, eventSource, eventCategory, awsRegion, recipientAccountId, errorCode]
  return (
    typeof eventID === 'string' &&
    isoTime.test(eventTime) &&
    Date.parse(eventTime) >= 0 &&
    [...texts, type, arn, userName, accessKeyId].every(isTextIfThere) &&
    resources.every(({ ARN, type, accountId }) => typeof ARN === 'string' && [type, accountId].every(isTextIfThere))
  )
}

function isTextIfThere(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}
