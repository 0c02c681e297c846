/** The SQL of all tables, on any engine. */
import { type Kysely, sql } from 'kysely'
import { Failure, OperatorError } from '../errors.ts'
import type { AccessKeyUse } from '../model/identities/access-key.ts'
import type { GrantIdentity } from '../model/keys/grant.ts'
import type { KeyUse } from '../model/keys/key-use.ts'
import type { EncryptionCount } from './encryption-counts.ts'
import { CommitLost, type Connections, type Engine, Unreachable } from './engines/engine.ts'
import { migrate } from './migrations/migrate.ts'
import type { Commit, SqlDatabase } from './sql-database.ts'
import {
  type Change,
  type ClockReading,
  Conflict,
  type GrantPage,
  type JournalHead,
  type JournalPositions,
  type KeptRecord,
  LeaseLost,
  type Member,
  type Noun,
  OutcomeUnknown,
  type PageRequest,
  type Records,
  type RegisteredJournal,
  type Run,
  type Storage,
} from './storage.ts'
import { readAccessKeyUse, writeAccessKeyUses } from './tables/access-key-uses.ts'
import { listAliases } from './tables/aliases.ts'
import {
  type Advance,
  awaitCommits,
  type ChangePosition,
  changesAfter,
  isInLog,
  isOutdated,
  lastChange,
  logCommit,
  lostEvents,
  nextNumber,
  numberOf,
  pruneBefore,
  pruneChanges,
} from './tables/changes.ts'
import { readClock, writeClock } from './tables/clock.ts'
import type { Database } from './tables/database.ts'
import {
  addEncryptionCounts,
  beginTracking,
  type CountedByOthers,
  type CountsPage,
  endTracking,
  loadEncryptionCounts,
  type Tracking,
} from './tables/encryption-counts.ts'
import {
  acknowledge,
  endLease,
  hasLease,
  type LeaseOf,
  type LeaseRequest,
  members,
  removeGateway,
  renewLease,
} from './tables/gateways.ts'
import { listGrants } from './tables/grants.ts'
import { checkFence, nextFence } from './tables/job-lease.ts'
import { listJournals, registerJournal, writeHead, writePositions, writeRun } from './tables/journals.ts'
import { readKeyUse, writeKeyUses } from './tables/key-uses.ts'
import { listKeys } from './tables/keys.ts'
import { heldRecords, holdRecord, removeRecords, takenFrom, takeOver } from './tables/outbox.ts'
import type { LoadedPage, Table } from './tables/table.ts'
import { identityOf, tables } from './tables/tables.ts'
import { checkWrite } from './tables/write-check.ts'

/** Milliseconds in which the outcome of a commit is looked up: a fail-over of a database takes some seconds. */
const outcomeDeadline = 15_000

/** Connects to the database, migrates it and tests that it is writable. Throws OperatorError. */
export async function openDatabase(engine: Engine): Promise<SqlDatabase> {
  const connections = engine.connect<Database>()
  try {
    await connections.migrate(async tx => {
      await migrate(tx, engine)
      await checkWrite(tx)
    })
    return new KyselyDatabase(engine, connections)
  } catch (error) {
    await connections.close()
    throw explained(engine, error)
  }
}

export function explained(engine: Engine, error: unknown): OperatorError {
  if (error instanceof OperatorError) return error
  return new OperatorError(`${engine.name} ${engine.explain(error)}`, { cause: error })
}

class KyselyDatabase implements SqlDatabase {
  readonly #engine: Engine
  readonly #connections: Connections<Database>
  /** Of the lease of the jobs, since the lock was taken. */
  #fence: number | undefined

  constructor(engine: Engine, connections: Connections<Database>) {
    this.#engine = engine
    this.#connections = connections
  }

  load<N extends Noun>(noun: N, page: LoadedPage): Promise<readonly Records[N][]> {
    return this.#atStart(this.#connections.read(db => (tables[noun] as Table<Records[N]>).load(db, page)))
  }

  listKeys(page: PageRequest): Promise<readonly string[]> {
    return this.#connections.read(db => listKeys(db, page))
  }

  listAliases(page: PageRequest): Promise<readonly string[]> {
    return this.#connections.read(db => listAliases(db, page))
  }

  listGrants(page: GrantPage): Promise<readonly GrantIdentity[]> {
    return this.#connections.read(db => listGrants(db, page))
  }

  async commit(commit: Commit): Promise<number> {
    try {
      return await this.#write(tx => this.#commit(tx, commit))
    } catch (error) {
      if (!(error instanceof CommitLost)) throw error
      return this.#outcome(commit.records[0]?.eventId, error)
    }
  }

  async #commit(
    tx: Kysely<Database>,
    { gateway, run, fence, basis, position, changes, records }: Commit,
  ): Promise<number> {
    const number = await nextNumber(tx)
    if (run !== undefined && !(await hasLease(tx, gateway, run))) throw new LeaseLost()
    if (fence !== undefined) await checkFence(tx, fence)
    if (position && !(await isInLog(tx, position))) throw new Conflict('the database is not the one that was read')
    if (basis && (await isOutdated(tx, basis, changes, number)))
      throw new Conflict('others have changed what this is decided by')
    for (const change of changes) await write(tx, change)
    await logCommit(tx, number, { gateway, eventId: records[0]?.eventId, changes }, this.#engine.now)
    if (!this.#engine.fleet) await pruneBefore(tx, number)
    for (const [index, record] of records.entries()) await holdRecord(tx, record, index === 0 ? number : undefined)
    await this.#connections.notify(tx)
    return number
  }

  /** Of a commit whose answer was lost. */
  async #outcome(eventId: string | undefined, lost: CommitLost): Promise<number> {
    const deadline = AbortSignal.timeout(outcomeDeadline)
    while (eventId !== undefined && !deadline.aborted) {
      try {
        await this.#connections.reached(deadline)
        const number = await this.#write(tx => numberOf(tx, eventId))
        if (number !== undefined) return number
        throw new Unreachable({ cause: lost })
      } catch (error) {
        if (error instanceof Unreachable && error.cause === lost) throw error
        if (!(error instanceof Unreachable || error instanceof CommitLost)) throw error
      }
    }
    throw new OutcomeUnknown({ cause: lost })
  }

  lastChange(): Promise<ChangePosition> {
    return this.#following(this.#connections.read(lastChange))
  }

  changesAfter(position: ChangePosition): Promise<Advance | undefined> {
    return this.#following(this.#connections.read(db => changesAfter(db, position)))
  }

  lostEvents(commits: readonly ChangePosition[]): Promise<readonly string[]> {
    return this.#connections.read(db => lostEvents(db, commits))
  }

  pruneChanges(age: number): Promise<void> {
    return this.#write(tx => pruneChanges(tx, sql<number>`${this.#engine.now} - ${sql.lit(age)}`))
  }

  async renewLease(request: LeaseRequest): Promise<void> {
    const isRenewed = await this.#write(tx => renewLease(tx, request, this.#engine.now))
    if (!isRenewed) throw new Conflict(`another run of the gateway ${request.gateway} has a lease`)
  }

  acknowledge(gateway: string, run: string, position: ChangePosition): Promise<void> {
    return this.#write(async tx => {
      await acknowledge(tx, gateway, run, position)
      await this.#connections.notify(tx)
    })
  }

  members(): Promise<readonly Member[]> {
    return this.#connections.read(db => members(db, this.#engine.now))
  }

  async endLease(gateway: string, of?: LeaseOf): Promise<boolean> {
    const isEnded = await this.#write(async tx => {
      const isEnded = await endLease(tx, gateway, of)
      if (isEnded) await this.#connections.notify(tx)
      return isEnded
    })
    if (isEnded) await this.endJobLease(gateway)
    return isEnded
  }

  async takeJobLease(gateway: string): Promise<number | undefined> {
    const lock = await this.#connections.lock(gateway)
    if (lock === undefined) return undefined
    if (lock === 'taken') this.#fence = undefined
    this.#fence ??= await this.#write(tx => nextFence(tx, gateway))
    return this.#fence
  }

  endJobLease(gateway: string): Promise<void> {
    return this.#connections.unlock(gateway)
  }

  async removeGateway(gateway: string): Promise<void> {
    await this.#write(async tx => {
      await removeGateway(tx, gateway)
      await this.#connections.notify(tx)
    })
    await this.endJobLease(gateway)
  }

  watch(listener: () => void): void {
    this.#connections.watch(listener)
  }

  heldRecords(): Promise<readonly KeptRecord[]> {
    if (!this.#engine.fleet) return this.#connections.read(heldRecords)
    return this.#write(async tx => {
      await awaitCommits(tx)
      return heldRecords(tx)
    })
  }

  removeRecords(eventIds: readonly string[], journal: string, positions: JournalPositions): Promise<void> {
    return this.#write(async tx => {
      await removeRecords(tx, eventIds)
      await writePositions(tx, journal, positions)
    })
  }

  takeOver(eventIds: readonly string[], position: string): Promise<readonly string[]> {
    return this.#write(tx => takeOver(tx, eventIds, position))
  }

  takenFrom(journal: string): Promise<readonly string[]> {
    return this.#connections.read(db => takenFrom(db, journal))
  }

  listJournals(): Promise<readonly RegisteredJournal[]> {
    return this.#connections.read(listJournals)
  }

  registerJournal(id: string, gateway: string): Promise<void> {
    return this.#write(async tx => {
      if (!(await registerJournal(tx, id, gateway, this.#engine.now)))
        throw new Conflict(`the journal ${id} is that of another gateway, which runs`)
    })
  }

  writeJournalHead(id: string, head: JournalHead): Promise<void> {
    return this.#write(tx => writeHead(tx, id, head))
  }

  writeRun(id: string, run: Run): Promise<void> {
    return this.#write(tx => writeRun(tx, id, run))
  }

  readAccessKeyUse(id: string): Promise<AccessKeyUse | undefined> {
    return this.#connections.read(db => readAccessKeyUse(db, id))
  }

  writeAccessKeyUses(uses: readonly AccessKeyUse[]): Promise<void> {
    return this.#write(tx => writeAccessKeyUses(tx, uses))
  }

  readKeyUse(keyArn: string): Promise<KeyUse | undefined> {
    return this.#connections.read(db => readKeyUse(db, keyArn))
  }

  writeKeyUses(uses: readonly KeyUse[]): Promise<void> {
    return this.#write(tx => writeKeyUses(tx, uses))
  }

  beginTracking(tracking: Tracking): Promise<CountedByOthers & { readonly startedAt: number }> {
    const begin = this.#write(async tx => {
      // Others may start, and add the same rows, at the same time.
      if (this.#engine.fleet) await awaitCommits(tx)
      return beginTracking(tx, tracking)
    })
    return this.#atStart(begin)
  }

  loadEncryptionCounts(page: CountsPage): Promise<readonly EncryptionCount[]> {
    return this.#atStart(this.#connections.read(db => loadEncryptionCounts(db, page)))
  }

  addEncryptionCounts(
    gateway: string,
    added: readonly EncryptionCount[],
  ): Promise<CountedByOthers & { readonly counts: readonly EncryptionCount[] }> {
    return this.#write(tx => addEncryptionCounts(tx, gateway, added))
  }

  endTracking(gateway: string): Promise<void> {
    return this.#write(tx => endTracking(tx, gateway))
  }

  readClock(): ReturnType<Storage['clock']['read']> {
    return this.#connections.read(async db => {
      const { reading, now } = await readClock(db, this.#engine.now)
      return { reading, database: this.#engine.fleet ? now : undefined }
    })
  }

  writeClock(reading: ClockReading, fence: number | undefined): Promise<void> {
    return this.#write(async tx => {
      if (fence !== undefined) {
        await awaitCommits(tx)
        await checkFence(tx, fence)
      }
      await writeClock(tx, reading)
    })
  }

  check(): Promise<void> {
    return this.#write(checkWrite)
  }

  /** Finishes calls in progress. SQLite then moves the write-ahead log into the file. */
  close(): Promise<void> {
    return this.#connections.close()
  }

  /** One transaction. */
  async #write<T>(work: (tx: Kysely<Database>) => Promise<T>): Promise<T> {
    try {
      return await this.#connections.write(work)
    } catch (error) {
      if (!this.#engine.conflicts(error)) throw error
      throw new Conflict('a record does not fit what others have committed', { cause: error })
    }
  }

  /** Both at the start and later. */
  async #following<T>(call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      throw error instanceof Failure ? error : explained(this.#engine, error)
    }
  }

  async #atStart<T>(call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      throw explained(this.#engine, error)
    }
  }
}

async function write(tx: Kysely<Database>, change: Change): Promise<void> {
  const { noun, action, record } = change
  const table = tables[noun] as Table<Records[typeof noun]>
  const kind = action === 'remove' ? 'remove' : record.revision === 1 ? 'insert' : 'update'
  if (!(await table[kind](tx, record))) {
    throw new Conflict(`${noun} ${identityOf(table.key(record))}: ${kind} does not fit its revision`)
  }
}
