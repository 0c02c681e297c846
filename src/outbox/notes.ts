/** What the outbox finds out about storage and other gateways, put on record. */
import type { Audit } from '../audit/audit.ts'
import { timeOfEvent } from '../audit/event-id.ts'
import type { Line } from '../audit/format.ts'
import type { Journal } from '../audit/journal.ts'

/** Numbers of changes: of the last one that storage had, as far as is known, and of the last one that it has. */
export interface LostRange {
  readonly from: number
  readonly to: number
}

type Details = Readonly<Record<string, unknown>>

export class Notes {
  readonly #journal: Pick<Journal, 'append'>
  readonly #event: Audit['gatewayEvent'] | undefined

  /** @param event makes a record; undefined: nothing is put on record */
  constructor(journal: Pick<Journal, 'append'>, event: Audit['gatewayEvent'] | undefined) {
    this.#journal = journal
    this.#event = event
  }

  /** Other gateways wrote the records of these events, which this journal has only the intents of. */
  takenOver(eventIDs: readonly string[]): void {
    if (eventIDs.length > 0) this.#note('AuditRecordsTakenOver', { eventIDs })
  }

  /** Storage has lost changes, which journals have on record. */
  storageLost(range: LostRange, details: Details): void {
    this.#note('StorageLostChanges', { ...range, ...details }, time => ({ rewind: { ...range, time } }))
  }

  /** Waits for nothing: what cannot be written is found again at the next start. @param mark line before the record */
  #note(name: string, details: Details, mark?: (time: string) => Line): void {
    const record = this.#event?.(name, details)
    if (record === undefined) return
    const lines = mark ? [mark(new Date(timeOfEvent(record.eventID)!).toISOString())] : []
    this.#journal.append(...lines, record).catch(() => undefined)
  }
}
