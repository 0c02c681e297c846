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

/** Whether it has the members that are read without asking. Throws for anything but an object. */
function isWhole({ eventID, eventTime, resources = [], userIdentity = {} }: AuditRecord): boolean {
  return (
    typeof eventID === 'string' &&
    isoTime.test(eventTime) &&
    Date.parse(eventTime) >= 0 &&
    typeof userIdentity === 'object' &&
    resources.every(({ ARN }) => typeof ARN === 'string')
  )
}
