/**
 * Commits changes with their audit records. As storage and journal cannot be written in one transaction, storage keeps the record with the
 * change (a transactional outbox) until the journal has it: after a crash or a failed write to the journal, the record is delivered late,
 * and marked as such.
 *
 * What is changed elsewhere than in storage, such as on an HSM, takes no part in that transaction: so the journal has the intent of a change
 * before it is made. An event whose intent has no record is open; one that a crash left open is settled at the next start, by whether storage
 * has its record.
 */
import { delayed, furtherRecord, notCommitted } from './audit/audit.ts'
import { appendShared, isCopy } from './audit/copies.ts'
import type { AuditRecord } from './audit/entry.ts'
import { isRecord, type Line } from './audit/format.ts'
import type { Journal } from './audit/journal.ts'
import { Failure } from './errors.ts'
import type { Log } from './log.ts'
import { Changes, Conflict, type HeldRecord, type Storage } from './storage/storage.ts'

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

type LinesAfter = (position: string) => Promise<AsyncIterable<Line> | undefined>

interface OpenOptions {
  readonly linesAfter?: LinesAfter
  readonly log?: Log | undefined
}

export class Outbox {
  readonly #storage: Storage
  readonly #journal: Journal
  /** Positions of the journal before the events that have no record in it yet, by event ID; the first is the earliest. */
  readonly #open = new Map<string, string>()
  /** Records of such events, as they will be written. */
  readonly #late = new Map<string, AuditRecord>()
  /** IDs of events in the journal whose records storage still keeps. */
  #delivered: string[] = []
  /** The end of the journal that storage was told last. */
  #told: Pick<Journal['head'], 'segment' | 'record'> | undefined

  private constructor(storage: Storage, journal: Journal) {
    this.#storage = storage
    this.#journal = journal
  }

  /**
   * Settles the events that the previous run left open.
   *
   * @param held records in storage
   * @param linesAfter of the journal: see lines-after.ts. Default: it has no position that storage knows
   */
  static async open(
    storage: Storage,
    journal: Journal,
    held: readonly HeldRecord[],
    { linesAfter = async () => undefined, log }: OpenOptions = {},
  ): Promise<Outbox> {
    const outbox = new Outbox(storage, journal)
    const { end, earliest } = (await storage.outbox.positions()) ?? {}
    const ids = new Set(held.map(({ eventId }) => eventId))
    const { isKnown, intents, recorded } = await eventsSince(earliest, ids, linesAfter)
    for (const { eventId, position, record } of held) {
      intents.delete(eventId)
      const unanswered = isKnown && (await linesAfter(position)) !== undefined
      if (recorded.has(eventId)) outbox.#delivered.push(eventId)
      else outbox.#late.set(eventId, delayed(JSON.parse(record) as AuditRecord, { unanswered }))
    }
    for (const [eventId, intent] of intents) outbox.#late.set(eventId, notCommitted(intent))
    for (const eventId of outbox.#late.keys()) outbox.#open.set(eventId, earliest ?? journal.position)
    await reportMissing(end, ids, linesAfter, log)
    const fields = { event: 'audit_records_late', records: outbox.#late.size, notCommitted: intents.size } as const
    if (fields.records > 0) log?.warn(fields, 'Writing audit records that the last run could not write')
    await outbox
      .settle()
      .catch((error: unknown) => log?.error({ event: 'audit_write_failed', err: error }, 'Cannot write audit records'))
    return outbox
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
    await this.#opened(ids, position => this.#storage.commit(changes, ...records.map(held(position))))
    return () => this.#deliverAll(records)
  }

  /** Resolves once the record of an event that failed is durable. That of an event that has begun is written later if it cannot be now. */
  async fail(record: AuditRecord): Promise<void> {
    try {
      await this.#append(record)
    } catch (error) {
      if (this.#open.has(record.eventID)) this.#late.set(record.eventID, delayed(record, { unanswered: false }))
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
    await Promise.all([...this.#late].map(([eventId, record]) => this.#deliverLate(eventId, record)))
    const delivered = this.#delivered
    const { position, head } = this.#journal
    const isNear = head.segment === this.#told?.segment && head.record < this.#told.record + span
    if (delivered.length === 0 && isNear && !isLast) return
    this.#delivered = []
    const [earliest = position] = this.#open.values()
    try {
      await this.#storage.outbox.remove(delivered, { end: position, earliest })
      this.#told = head
    } catch (error) {
      this.#delivered = [...delivered, ...this.#delivered]
      throw error
    }
  }

  /** Marks events as open while work writes an intent or a change, and from then on: but not if nothing was written. */
  async #opened(eventIds: readonly string[], write: (position: string) => Promise<void>): Promise<void> {
    const { position } = this.#journal
    const opened = eventIds.filter(eventId => !this.#open.has(eventId))
    for (const eventId of opened) this.#open.set(eventId, position)
    try {
      await write(position)
    } catch (error) {
      for (const eventId of opened) this.#open.delete(eventId)
      throw error
    }
  }

  #append(record: AuditRecord): Promise<void> {
    const appended = appendShared(this.#journal, record)
    return this.#open.has(record.eventID) ? appended.then(() => void this.#open.delete(record.eventID)) : appended
  }

  /** Rejects with Undelivered if one of them cannot be written now: that one is written later. */
  async #deliverAll(records: readonly AuditRecord[]): Promise<void> {
    const delivered = await Promise.allSettled(records.map(record => this.#deliver(record)))
    const failed = delivered.find(({ status }) => status === 'rejected')
    if (failed) throw (failed as PromiseRejectedResult).reason
  }

  async #deliver(record: AuditRecord): Promise<void> {
    try {
      await this.#append(record)
      this.#delivered.push(record.eventID)
    } catch (error) {
      this.#late.set(record.eventID, delayed(record, { unanswered: true }))
      throw new Undelivered(error)
    }
  }

  async #deliverLate(eventId: string, record: AuditRecord): Promise<void> {
    await this.#append(record)
    this.#late.delete(eventId)
    this.#delivered.push(eventId)
  }
}

interface Events {
  /** Whether the journal has the position: otherwise it was moved away, or truncated. */
  readonly isKnown: boolean
  /** Those without a record. */
  readonly intents: Map<string, AuditRecord>
  /** IDs of those that storage keeps, and that have a record of success. */
  readonly recorded: ReadonlySet<string>
}

/** @param position before which no event was open */
async function eventsSince(
  position: string | undefined,
  held: ReadonlySet<string>,
  linesAfter: LinesAfter,
): Promise<Events> {
  const lines = position === undefined ? undefined : await linesAfter(position)
  const intents = new Map<string, AuditRecord>()
  const recorded = new Set<string>()
  for await (const line of lines ?? []) {
    if ('intent' in line) intents.set(line.intent.eventID, line.intent)
    if (!isRecord(line)) continue
    intents.delete(line.eventID)
    if (line.errorCode === undefined && held.has(line.eventID)) recorded.add(line.eventID)
  }
  return { isKnown: lines !== undefined, intents, recorded }
}

/**
 * Changes that are on record, and not in storage: it was restored from an older copy than the journal beside it.
 *
 * @param position up to which storage knew every change
 */
async function reportMissing(
  position: string | undefined,
  held: ReadonlySet<string>,
  linesAfter: LinesAfter,
  log: Log | undefined,
): Promise<void> {
  let changes = 0
  let first: AuditRecord | undefined
  const lines = position === undefined ? undefined : await linesAfter(position)
  for await (const line of lines ?? []) {
    if (!isRecord(line) || line.readOnly !== false || line.errorCode !== undefined || held.has(line.eventID)) continue
    if (isCopy(line)) continue
    changes++
    first ??= line
  }
  if (first === undefined) return
  const { eventID, eventTime } = first
  const fields = { event: 'storage_outdated', changes, eventID, eventTime } as const
  log?.error(fields, 'Storage is older than the audit file, which has changes that storage does not')
}
