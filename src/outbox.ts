/**
 * Commits changes with their audit records. As storage and journal cannot be written in one transaction, storage keeps the record with the
 * change (a transactional outbox) until the journal has it: after a crash or a failed write to the journal, the record is delivered late,
 * and marked as such.
 *
 * What is changed elsewhere than in storage, such as on an HSM, takes no part in that transaction: so the journal has the intent of a change
 * before it is made. An event whose intent has no record is open; one that a crash left open is settled at the next start, by whether storage
 * has its record.
 */
import { type Audit, delayed, furtherRecord } from './audit/audit.ts'
import { appendShared } from './audit/copies.ts'
import type { AuditRecord } from './audit/entry.ts'
import type { Journal } from './audit/journal.ts'
import { Failure } from './errors.ts'
import type { Log } from './log.ts'
import {
  journalOf,
  type LateRecord,
  type LinesAfter,
  lateRecord,
  type MissingChanges,
  readLastRun,
} from './outbox/last-run.ts'
import { LateRecords } from './outbox/late-records.ts'
import { Notes } from './outbox/notes.ts'
import { Changes, Conflict, type KeptRecord, OutcomeUnknown, type Storage } from './storage/storage.ts'

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

/** Audit records after which storage is told a new position: a start reads as many, which takes a fraction of a second. */
const span = 20_000

interface OpenOptions {
  /** Name of this gateway. */
  readonly gateway: string
  /** Default: the journal has no position that storage knows. */
  readonly linesAfter?: LinesAfter
  /** Makes the records of what happens to the gateway itself; default: there are none. */
  readonly event?: Audit['gatewayEvent'] | undefined
  readonly log?: Log | undefined
}

export class Outbox {
  readonly #storage: Storage
  readonly #journal: Journal
  readonly #options: OpenOptions
  readonly notes: Notes
  /** Positions of the journal before the events that have no record in it yet, by event ID; the first is the earliest. */
  readonly #open = new Map<string, string>()
  /** Records of such events. */
  readonly #late = new LateRecords()
  /** IDs of events in the journal whose records storage still keeps. */
  #delivered: string[] = []
  /** The end of the journal that storage was told last. */
  #told: Pick<Journal['head'], 'segment' | 'record'> | undefined

  private constructor(storage: Storage, journal: Journal, options: OpenOptions) {
    this.#storage = storage
    this.#journal = journal
    this.#options = options
    this.notes = new Notes(journal, options.event)
  }

  /**
   * Registers the journal as that of the gateway, and settles the events that its previous run left open. Rejects with Conflict if another
   * gateway that runs has the journal.
   */
  static async open(storage: Storage, journal: Journal, options: OpenOptions): Promise<Outbox> {
    const outbox = new Outbox(storage, journal, options)
    await storage.journals.register(outbox.#id)
    await outbox.#resume()
    await outbox
      .settle()
      .catch((error: unknown) =>
        options.log?.error({ event: 'audit_write_failed', err: error }, 'Cannot write audit records'),
      )
    return outbox
  }

  /** UUID of the journal. */
  get #id(): string {
    return this.#journal.head.journal
  }

  async #resume(): Promise<void> {
    const { gateway, linesAfter = async () => undefined, log } = this.#options
    const storage = this.#storage
    const journals = await storage.journals.list()
    const positions = journals.find(({ id }) => id === this.#id)?.positions
    const kept = await storage.outbox.list()
    const held = kept.filter(row => journalOf(row) === this.#id)
    const taken = await storage.outbox.takenFrom(this.#id)
    const left = await readLastRun({ positions, held, taken, journals }, linesAfter)
    this.#delivered.push(...left.delivered)
    const { position } = this.#journal
    for (const [eventId, late] of left.late) {
      this.#late.set(eventId, late)
      this.#open.set(eventId, positions?.earliest ?? position)
    }
    // Of a journal that this gateway had before, or that no gateway has had since there are several.
    const others = new Set(journals.filter(journal => journal.gateway !== gateway).map(({ id }) => id))
    await this.takeOver(kept.filter(row => !held.includes(row) && !others.has(journalOf(row) ?? '')))
    const fields = { event: 'audit_records_late', records: this.#late.size, notCommitted: left.notCommitted } as const
    if (fields.records > 0) log?.warn(fields, 'Writing audit records that the last run could not write')
    this.notes.takenOver(left.takenOver)
    if (left.missing) await this.#reportMissing(left.missing)
  }

  async #reportMissing({ changes, first: { eventID, eventTime }, last }: MissingChanges): Promise<void> {
    const fields = { event: 'storage_outdated', changes, eventID, eventTime } as const
    this.#options.log?.error(fields, 'Storage is older than the audit file, which has changes that storage does not')
    const to = await this.#storage.lastChange()
    this.notes.storageLost({ from: Math.max(last ?? 0, to), to }, { changes, eventID, eventTime })
  }

  /** Records that storage keeps for the journals of gateways without a lease. */
  async abandoned(): Promise<readonly KeptRecord[]> {
    const foreign = (await this.#storage.outbox.list()).filter(row => journalOf(row) !== this.#id)
    if (foreign.length === 0) return []
    const journals = await this.#storage.journals.list()
    const live = new Set(journals.filter(({ isLive }) => isLive).map(({ id }) => id))
    return foreign.filter(row => !live.has(journalOf(row) ?? ''))
  }

  /**
   * Takes over records of other journals: `settle` writes them to this one. They tell where they come from, as that journal may have them,
   * too. Resolves to how many were still there.
   */
  async takeOver(rows: readonly KeptRecord[]): Promise<number> {
    if (rows.length === 0) return 0
    const journals = await this.#storage.journals.list()
    const ids = rows.map(({ eventId }) => eventId)
    const take = (position: string) => this.#storage.outbox.takeOver(ids, position)
    const taken = new Set(await this.#opened(ids, take))
    for (const row of rows) {
      const origin = row.origin ?? journalOf(row)
      const late = lateRecord({ ...row, ...(origin !== undefined && { origin }) }, journals, { unanswered: false })
      if (taken.has(row.eventId)) this.#late.set(row.eventId, late)
      else this.#open.delete(row.eventId)
    }
    return taken.size
  }

  /** Rejects if a change could not be committed or audited now. Free while nothing is failing. */
  async ready(): Promise<void> {
    if (this.#journal.failing) await this.#journal.check()
    if (this.#storage.failing) await this.#storage.check()
  }

  /** Rejects if a call could not be audited now: better before an HSM works for it. Undefined while nothing is failing. */
  audited(): Promise<void> | undefined {
    return this.#journal.failing ? this.#journal.check() : undefined
  }

  /**
   * Resolves once the intent of a change is on disk: only then may the change be made, and `commit` or `fail` must follow. Rejects if it
   * cannot be written, or storage cannot.
   *
   * @param intent its record, as far as it is known
   */
  async begin(intent: AuditRecord): Promise<void> {
    if (this.#storage.failing) await this.#storage.check()
    await this.#opened([intent.eventID], () => this.#journal.append({ intent }))
  }

  /**
   * Commits the changes, if any, with the records of all their events: without, the record says `readOnly`. Resolves to a function that
   * appends the records to the journal: once that has resolved, the request may be answered. Rejects with Conflict; the function rejects with Undelivered.
   */
  commit(changes: Changes, record: AuditRecord): Promise<() => Promise<void>> {
    // Most calls change nothing, and need no frame of an async function.
    return changes.list.length === 0
      ? Promise.resolve(() => this.#append(readOnly(record)))
      : this.#commit(changes, record)
  }

  async #commit(changes: Changes, record: AuditRecord): Promise<() => Promise<void>> {
    await this.ready()
    const records = [record, ...changes.events.map(event => furtherRecord(record, event))]
    const held = (position: string) => (one: AuditRecord) => {
      return { eventId: one.eventID, position, record: JSON.stringify(one) }
    }
    const ids = records.map(({ eventID }) => eventID)
    const commit = (position: string) => this.#storage.commit(changes, ...records.map(held(position)))
    try {
      const number = await this.#opened(ids, commit)
      return () => this.#deliverAll(records, number)
    } catch (error) {
      if (error instanceof OutcomeUnknown) this.#late.addUnknown(records)
      throw error
    }
  }

  /** Resolves once the record of an event that failed is durable. That of an event that has begun is written later if it cannot be now. */
  async fail(record: AuditRecord): Promise<void> {
    try {
      await this.#append(record)
    } catch (error) {
      const late = { record: delayed(record, { unanswered: false }), isHeld: false }
      if (this.#open.has(record.eventID)) this.#late.set(record.eventID, late)
      throw error
    }
  }

  /** For changes without a caller: resolves once the changes and their record are durable, the record at least in storage. */
  async record(changes: Changes, record: AuditRecord): Promise<void> {
    const deliver = await this.commit(changes, record)
    await deliver().catch(error => {
      if (!(error instanceof Undelivered)) throw error
    })
  }

  /**
   * The same for an act that also changes an HSM: its intent is on disk before it begins. Rejects as the act does.
   *
   * @param act adds to the changes, and resolves to their record: the intent with what has become known
   * @param undo takes back what was done on the HSM, if certainly nothing was committed
   */
  async act(
    intent: AuditRecord,
    act: (changes: Changes) => Promise<AuditRecord>,
    undo?: (changes: Changes) => Promise<void>,
  ): Promise<void> {
    await this.begin(intent)
    const changes = new Changes()
    let isDone = false
    try {
      const record = await act(changes)
      isDone = true
      await this.record(changes, record)
    } catch (thrown) {
      const isConflict = thrown instanceof Conflict
      if (isConflict || !isDone) await undo?.(changes)
      const { code, message } = isConflict ? new Failure('Conflict') : Failure.from(thrown)
      // If it cannot be written now, it is written later.
      await this.fail({ ...intent, errorCode: code, errorMessage: message }).catch(() => undefined)
      throw thrown
    }
  }

  /**
   * Writes late records, and removes delivered ones from storage. Rejects if either fails.
   *
   * @param isLast whether storage is told the end of the journal in any case, so that the next start finds out if the journal is an older copy
   */
  async settle({ isLast = false } = {}): Promise<void> {
    if (this.#journal.failing) await this.#journal.check()
    for (const eventId of await this.#late.compare(this.#storage, this.#id)) this.#open.delete(eventId)
    await Promise.all([...this.#late].map(([eventId, late]) => this.#deliverLate(eventId, late)))
    const delivered = this.#delivered
    const { position, head } = this.#journal
    const isNear = head.segment === this.#told?.segment && head.record < this.#told.record + span
    if (delivered.length === 0 && isNear && !isLast) return
    this.#delivered = []
    const [earliest = position] = this.#open.values()
    try {
      await this.#storage.outbox.remove(delivered, this.#id, { end: position, earliest })
      this.#told = head
    } catch (error) {
      this.#delivered = [...delivered, ...this.#delivered]
      throw error
    }
  }

  /** Marks events as open while work writes an intent or a change, and from then on: but not if nothing was written. */
  async #opened<T>(eventIds: readonly string[], write: (position: string) => Promise<T>): Promise<T> {
    const { position } = this.#journal
    const opened = eventIds.filter(eventId => !this.#open.has(eventId))
    for (const eventId of opened) this.#open.set(eventId, position)
    try {
      return await write(position)
    } catch (error) {
      for (const eventId of opened) this.#open.delete(eventId)
      throw error
    }
  }

  #append(record: AuditRecord, number?: number): Promise<void> {
    const appended = appendShared(this.#journal, record, number)
    return this.#open.has(record.eventID) ? appended.then(() => void this.#open.delete(record.eventID)) : appended
  }

  /** Rejects with Undelivered if one of them cannot be written now: that one is written later. */
  async #deliverAll(records: readonly AuditRecord[], number: number | undefined): Promise<void> {
    const deliver = (record: AuditRecord, index: number) => this.#deliver(record, index === 0 ? number : undefined)
    const delivered = await Promise.allSettled(records.map(deliver))
    const failed = delivered.find(({ status }) => status === 'rejected')
    if (failed) throw (failed as PromiseRejectedResult).reason
  }

  async #deliver(record: AuditRecord, number: number | undefined): Promise<void> {
    try {
      await this.#append(record, number)
      this.#delivered.push(record.eventID)
    } catch (error) {
      this.#late.set(record.eventID, { record: delayed(record, { unanswered: true }), number, isHeld: true })
      throw new Undelivered(error)
    }
  }

  async #deliverLate(eventId: string, { record, number, isHeld }: LateRecord): Promise<void> {
    await this.#append(record, number)
    this.#late.delete(eventId)
    if (isHeld) this.#delivered.push(eventId)
  }
}
