/** Records for a receiver that takes short messages only. */
import { hash } from 'node:crypto'
import type { AuditRecord } from '../entry.ts'

/** What identifies the event: always kept. */
const kept = new Set(['eventVersion', 'eventID', 'requestID', 'eventTime', 'eventSource', 'eventType', 'eventName'])

/**
 * A copy, as JSON, of at most so many bytes: without the longest members, which `additionalEventData.strongroom.shortened` names, with the
 * length and the hash of the record in the journal.
 *
 * @param text the record, longer than that
 * @param length bytes, at least 1500
 */
export function shortenedRecord(record: AuditRecord, text: string, length: number): string {
  const lengths = Object.entries(record).map(
    ([name, member]) => [name, Buffer.byteLength(JSON.stringify(member))] as const,
  )
  const longest = lengths.filter(([name]) => !kept.has(name)).sort(([, one], [, other]) => other - one)
  const whole = { bytes: Buffer.byteLength(text), sha256: hash('sha256', text, 'hex') }
  let shortened = text
  for (let count = 1; count <= longest.length; count++) {
    const omitted = longest.slice(0, count).map(([name]) => name)
    shortened = JSON.stringify(without(record, { ...whole, omitted }))
    if (Buffer.byteLength(shortened) <= length) break
  }
  return shortened
}

function without(
  record: AuditRecord,
  shortened: { readonly bytes: number; readonly sha256: string; readonly omitted: readonly string[] },
): object {
  const members = Object.entries(record).filter(([name]) => !shortened.omitted.includes(name))
  const { additionalEventData = {}, ...rest } = Object.fromEntries(members) as Partial<AuditRecord>
  const { strongroom } = additionalEventData
  const ours = typeof strongroom === 'object' ? strongroom : {}
  return { ...rest, additionalEventData: { ...additionalEventData, strongroom: { ...ours, shortened } } }
}
