/**
 * Commits changes with their audit records. As storage and journal cannot be written in one transaction, storage keeps the record with the
 * change (a transactional outbox) until the journal has it: after a crash or a failed write to the journal, the record is delivered late,
 * and marked as such.
 */
import { delayed } from './audit/audit.ts'
import type { AuditRecord } from './audit/entry.ts'
import type { Journal } from './audit/journal.ts'
import { Failure } from './errors.ts'
import type { Log } from './log.ts'
import type { Changes, HeldRecord, Storage } from './storage/storage.ts'

/** The change is committed, and its record will be written later: there must be no other record of the event. */
export class Undelivered extends Failure {
  constructor(cause: unknown) {
    super('Internal', '', { cause })
  }
}

/**
 * Of an operation that may change something and did not, such as a dry run. The journal would seem to have a change that storage does not
 * have.
 */
function readOnly(record: AuditRecord): AuditRecord {
  return record.readOnly === false ? { ...record, readOnly: true } : record
}

export class Outbox {
  readonly #storage: Storage
  readonly #journal: Journal
  /** Records that are only in storage, as they will be written. */
  readonly #late = new Map<string, AuditRecord>()
  /** IDs of events in the journal whose records storage still keeps. */
  #delivered: string[] = []

  private constructor(storage: Storage, journal: Journal) {
    this.#storage = storage
    this.#journal = journal
  }

  /** Writes records that the previous run did not write. @param held records in storage */
  static async open(storage: Storage, journal: Journal, held: readonly HeldRecord[], log?: Log): Promise<Outbox> {
    const outbox = new Outbox(storage, journal)
    const found = await journal.successes(new Map(held.map(({ eventId, position }) => [eventId, position])))
    for (const { eventId, record } of held) {
      if (found.get(eventId)) outbox.#delivered.push(eventId)
      else outbox.#late.set(eventId, delayed(JSON.parse(record) as AuditRecord, { unanswered: found.has(eventId) }))
    }
    await outbox.#reportMissing(held, log)
    const records = outbox.#late.size
    if (records > 0)
      log?.warn({ event: 'audit_records_late', records }, 'Writing audit records that the last run could not write')
    await outbox
      .settle()
      .catch((error: unknown) => log?.error({ event: 'audit_write_failed', err: error }, 'Cannot write audit records'))
    return outbox
  }

  /**
   * Rejects if a change could not be committed or audited now: better before a key is generated on the HSM for it. Free while nothing is
   * failing.
   */
  async ready(): Promise<void> {
    if (this.#journal.failing) await this.#journal.check()
    if (this.#storage.failing) await this.#storage.check()
  }

  /**
   * Commits the changes, if any: without, the record says `readOnly`. Resolves to a function that appends the record to the journal: once
   * that has resolved, the request may be answered. Rejects with Conflict; the function rejects with Undelivered.
   */
  commit(changes: Changes, record: AuditRecord): Promise<() => Promise<void>> {
    // Most calls change nothing, and need no frame of an async function.
    return changes.list.length === 0
      ? Promise.resolve(() => this.#journal.append(readOnly(record)))
      : this.#commit(changes, record)
  }

  async #commit(changes: Changes, record: AuditRecord): Promise<() => Promise<void>> {
    await this.ready()
    const { position } = this.#journal
    await this.#storage.commit(changes, { eventId: record.eventID, position, record: JSON.stringify(record) })
    return () => this.#deliver(record)
  }

  /** For changes without a caller: resolves once the changes and their record are durable, the record at least in storage. */
  async record(changes: Changes, record: AuditRecord): Promise<void> {
    const deliver = await this.commit(changes, record)
    await deliver().catch(error => {
      if (!(error instanceof Undelivered)) throw error
    })
  }

  /** Writes late records, and removes delivered ones from storage. Rejects if either fails. */
  async settle(): Promise<void> {
    if (this.#journal.failing) await this.#journal.check()
    await Promise.all([...this.#late].map(([eventId, record]) => this.#deliverLate(eventId, record)))
    const delivered = this.#delivered
    if (delivered.length === 0) return
    this.#delivered = []
    const { position } = this.#journal
    try {
      await this.#storage.outbox.remove(delivered, position)
    } catch (error) {
      this.#delivered = [...delivered, ...this.#delivered]
      throw error
    }
  }

  /** Changes that are on record, and not in storage: it was restored from an older copy than the journal beside it. */
  async #reportMissing(held: readonly HeldRecord[], log: Log | undefined): Promise<void> {
    const position = await this.#storage.outbox.position()
    if (position === undefined) return
    const known = new Set(held.map(({ eventId }) => eventId))
    let changes = 0
    let first: AuditRecord | undefined
    for await (const record of this.#journal.changesAfter(position)) {
      if (known.has(record.eventID)) continue
      changes++
      first ??= record
    }
    if (first === undefined) return
    const { eventID, eventTime } = first
    const fields = { event: 'storage_outdated', changes, eventID, eventTime } as const
    log?.error(fields, 'Storage is older than the audit file, which has changes that storage does not')
  }

  async #deliver(record: AuditRecord): Promise<void> {
    try {
      await this.#journal.append(record)
      this.#delivered.push(record.eventID)
    } catch (error) {
      this.#late.set(record.eventID, delayed(record, { unanswered: true }))
      throw new Undelivered(error)
    }
  }

  async #deliverLate(eventId: string, record: AuditRecord): Promise<void> {
    await this.#journal.append(record)
    this.#late.delete(eventId)
    this.#delivered.push(eventId)
  }
}
