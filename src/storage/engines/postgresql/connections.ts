/** The sessions of a process with a PostgreSQL server: one that commits, some that read, and one that listens. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, sql } from 'kysely'
import { Pool } from 'pg'
import { CommitLost, type Connections, Unreachable, type Work } from '../engine.ts'
import { CannotConnect, PostgresqlDriver, SessionLost } from './driver.ts'
import { canBeRepeated, explain, isLocked, isRefused, isTooSlow } from './errors.ts'
import { Listener } from './listener.ts'
import { goodbye, type PostgresqlOptions, prepareSession, Session, type Sessions } from './session.ts'
import { SessionLock } from './session-lock.ts'

/** Advisory locks of two numbers: what it is for, and a hash of the schema (PostgreSQL documentation, "Advisory Locks"). */
const migrationLock = 0x53_74_72_01

/**
 * Milliseconds that a migration waits for a lock, as everybody else then waits for the migration: less than `deadlock_timeout` (1 s), after
 * which it may be somebody else's transaction that fails. It is tried again until the deadline: a backup may read for long.
 */
const migrationLockTimeout = 500
const migrationDeadline = 60_000

/** Milliseconds between attempts to reach the server again: the first, and the longest. */
const firstDelay = 50
const longestDelay = 1000

/** Transactions that fail because of others at the same time are few: commits wait for each other. */
const attempts = 5

export class PostgresqlConnections<D> implements Connections<D> {
  readonly #options: PostgresqlOptions
  readonly #sessions: Sessions = new Set()
  readonly #writers: Pool
  readonly #readers: Pool
  readonly #writer: Kysely<D>
  readonly #reader: Kysely<D>
  readonly #listener: Listener
  readonly #lock: SessionLock
  #lockedFor: string | undefined
  /** Resolves when the previous use of the session that commits has ended. */
  #turn: Promise<unknown> = Promise.resolve()
  /** While the server cannot be reached: why, and what resolves once it can. */
  #away: { readonly reason: unknown; readonly back: Promise<void> } | undefined
  readonly #closing = new AbortController()

  constructor(options: PostgresqlOptions) {
    this.#options = options
    this.#writers = this.#pool(1, options.statementTimeout)
    this.#readers = this.#pool(readersOf(options), options.statementTimeout)
    this.#writer = kysely(this.#writers)
    this.#reader = kysely(this.#readers)
    this.#listener = new Listener(() => this.#ownSession(), options.schema)
    this.#lock = new SessionLock(() => this.#ownSession())
  }

  async read<T>(work: Work<D, T>): Promise<T> {
    this.#checkOpen()
    const read = (db: Kysely<D>) =>
      db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work)
    return this.#attempt(async () => {
      try {
        return await read(this.#reader)
      } catch (error) {
        if (!(error instanceof CannotConnect && isRefused(error.cause))) throw error
        this.#refuse()
        return this.#inTurn(() => read(this.#writer))
      }
    })
  }

  async write<T>(work: Work<D, T>): Promise<T> {
    this.#checkOpen()
    return this.#inTurn(() => this.#attempt(() => this.#writer.transaction().execute(work)))
  }

  async migrate<T>(work: Work<D, T>): Promise<T> {
    const pool = this.#pool(1, 0)
    const deadline = AbortSignal.timeout(migrationDeadline)
    try {
      for (;;) {
        try {
          return await this.#migrateOnce(kysely<D>(pool), work)
        } catch (error) {
          if (!(isLocked(error) || canBeRepeated(error)) || deadline.aborted) throw error
          await sleep(migrationLockTimeout * (1 + Math.random()))
        }
      }
    } catch (error) {
      throw error instanceof CannotConnect || error instanceof SessionLost ? error.cause : error
    } finally {
      await this.#end(pool)
    }
  }

  #migrateOnce<T>(db: Kysely<D>, work: Work<D, T>): Promise<T> {
    return db.transaction().execute(async tx => {
      await sql`select pg_advisory_xact_lock(${sql.lit(migrationLock)}, hashtext(${sql.lit(this.#options.schema)}))`.execute(
        tx,
      )
      await sql`set local lock_timeout = ${sql.lit(migrationLockTimeout)}`.execute(tx)
      return work(tx)
    })
  }

  async reached(signal: AbortSignal): Promise<void> {
    while (this.#away && !signal.aborted) await Promise.race([this.#away.back, aborted(signal)])
  }

  async notify(tx: Kysely<D>): Promise<void> {
    await sql`notify ${sql.id(this.#listener.channel)}`.execute(tx)
  }

  watch(listener: () => void): void {
    this.#listener.watch(listener)
  }

  async lock(gateway: string): Promise<'taken' | 'kept' | undefined> {
    this.#lockedFor = gateway
    if (this.#away) throw new Unreachable({ cause: this.#away.reason })
    return this.#lock.take().catch(error => {
      throw new Unreachable({ cause: error })
    })
  }

  async unlock(gateway: string): Promise<void> {
    if (gateway === this.#lockedFor) await this.#lock.release()
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    await this.#turn
    await this.#lock.release()
    const ended = [this.#writers, this.#readers].map(pool => this.#end(pool))
    await Promise.all([...ended, this.#listener.close()])
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new Error('the database is closed')
  }

  /** One after another. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  /** Reads wait for the sessions that there are: each further one that is refused may count as a wrong password. */
  #refuse(): void {
    const { options, totalCount } = this.#readers
    // By then the pool asks for the next one already, if that is waited for.
    options.max = Math.max(1, totalCount - 1)
    setTimeout(() => {
      options.max = readersOf(this.#options)
    }, longestDelay).unref()
  }

  /** Refuses at once while the server is known to be away. */
  async #attempt<T>(transaction: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      if (this.#away) throw new Unreachable({ cause: this.#away.reason })
      try {
        return await transaction()
      } catch (error) {
        if (error instanceof CommitLost) this.#lost(error.cause)
        if (isTooSlow(error)) throw new Unreachable({ cause: error })
        if (attempt < attempts && canBeRepeated(error)) continue
        // The server may have been restarted since the session was last used.
        if (attempt === 1 && error instanceof SessionLost && !isTimeout(error.cause)) continue
        if (!(error instanceof CannotConnect || error instanceof SessionLost)) throw error
        this.#lost(error.cause)
        throw new Unreachable({ cause: error.cause })
      }
    }
  }

  #lost(reason: unknown): void {
    if (this.#away || this.#closing.signal.aborted) return
    this.#away = { reason, back: this.#reconnect() }
    this.#options.onReach?.(explain(reason))
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#closing
    for (let delay = firstDelay; !signal.aborted; delay = Math.min(2 * delay, longestDelay)) {
      // Gateways that lost it together do not come back together.
      await sleep(delay * (0.5 + Math.random()), undefined, { ref: false, signal }).catch(() => {})
      try {
        ;(await this.#writers.connect()).release()
        break
      } catch {
        // The reason is that of the loss.
      }
    }
    this.#away = undefined
    if (signal.aborted) return
    this.#options.onReach?.(undefined)
    this.#listener.check()
  }

  #pool(max: number, statementTimeout: number): Pool {
    const [options, sessions] = [this.#options, this.#sessions]
    const pool = new Pool({
      max,
      connectionTimeoutMillis: this.#options.connectTimeout,
      idleTimeoutMillis: max === 1 ? 0 : 60_000,
      Client: class extends Session {
        constructor() {
          super(options, statementTimeout, sessions)
        }
      },
      onConnect: session => prepareSession(session, options.schema, statementTimeout),
    })
    // The end of an idle session: the next statement gets a new one.
    return pool.on('error', () => {})
  }

  async #ownSession(): Promise<Session> {
    const { schema, statementTimeout } = this.#options
    const session = new Session(this.#options, statementTimeout, this.#sessions)
    session.on('error', () => session.abandon())
    await session.connect()
    try {
      await prepareSession(session, schema, statementTimeout)
      return session
    } catch (error) {
      session.abandon()
      throw error
    }
  }

  async #end(pool: Pool): Promise<void> {
    const late = setTimeout(() => {
      for (const session of this.#sessions) session.abandon()
    }, goodbye)
    await pool.end()
    clearTimeout(late)
  }
}

/** All but one that commits and one that listens. */
function readersOf({ maxConnections }: PostgresqlOptions): number {
  return Math.max(1, maxConnections - 2)
}

function kysely<D>(pool: Pool): Kysely<D> {
  return new Kysely({
    dialect: {
      createDriver: () => new PostgresqlDriver(pool),
      createAdapter: () => new PostgresAdapter(),
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createIntrospector: db => new PostgresIntrospector(db),
    },
  })
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && /timeout/i.test(error.message)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}
