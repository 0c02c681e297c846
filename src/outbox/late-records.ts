import type { AuditRecord } from '../audit/entry.ts'
import type { Storage } from '../storage/storage.ts'
import { journalOf, type LateRecord, lateRecord } from './last-run.ts'

/** Records that are to be written later than their calls were answered, by event ID. */
export class LateRecords extends Map<string, LateRecord> {
  /** Of commits of which it is not known whether they were made. As far as their callers know, they failed. */
  #unknown: (readonly AuditRecord[])[] = []

  addUnknown(records: readonly AuditRecord[]): void {
    this.#unknown.push(records)
  }

  /**
   * Finds out by storage which of the unknown commits were made, and drops records that others have taken over.
   *
   * @param journal UUID of the journal that they are for
   * @returns the event IDs of those that were dropped
   */
  async compare({ outbox }: Pick<Storage, 'outbox'>, journal: string): Promise<readonly string[]> {
    const unknown = this.#unknown
    const held = [...this].filter(([, { isHeld }]) => isHeld).map(([eventId]) => eventId)
    if (unknown.length === 0 && held.length === 0) return []
    const kept = await outbox.list()
    const own = new Map(kept.filter(row => journalOf(row) === journal).map(row => [row.eventId, row]))
    this.#unknown = this.#unknown.filter(records => !unknown.includes(records))
    for (const { eventID } of unknown.flat()) {
      const row = own.get(eventID)
      if (row) this.set(eventID, lateRecord(row, [], { unanswered: true }))
    }
    const dropped = held.filter(eventId => !own.has(eventId))
    for (const eventId of dropped) this.delete(eventId)
    return dropped
  }
}
