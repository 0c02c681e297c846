import type { Expression, Kysely, RawBuilder } from 'kysely'
import { Failure } from '../../errors.ts'

/** Column types whose names differ between engines. */
export interface ColumnTypes {
  /** Text that is compared and sorted by its UTF-8 bytes. */
  readonly text: 'text' | Expression<unknown>
  readonly bytes: 'blob' | 'bytea'
}

/** What a database engine adds to the portable SQL of the tables. */
export interface Engine {
  /** For messages: what is opened, and where. Never a password. */
  readonly name: string
  readonly types: ColumnTypes
  /** The clock of the database: milliseconds since the epoch, not those of the start of the transaction. */
  readonly now: RawBuilder<number>
  /** Whether several gateways use the database: only then is there a log of their commits. */
  readonly fleet: boolean
  /** Whether a missing or empty database is created. */
  readonly creates: boolean
  /** Where the tables are, if a database has several such places. */
  readonly schema?: string
  /** What to do about a database with tables of another application. */
  readonly elsewhere: string
  /** Connects at the first query. */
  connect<D>(): Connections<D>
  /** Whether the transaction failed because its changes do not fit what others have committed. */
  conflicts(error: unknown): boolean
  /** Why the database cannot be opened, as the rest of a sentence that begins with its name. */
  explain(error: unknown): string
}

/** Work that runs in a transaction may run again, in another, if that transaction had no effect. */
export type Work<D, T> = (tx: Kysely<D>) => Promise<T>

/** The connections of a process to a database. What they do ends in bounded time; they throw Unreachable, having done nothing. */
export interface Connections<D> {
  /** As of one snapshot. */
  read<T>(work: Work<D, T>): Promise<T>
  /** One durable transaction after another. Throws CommitLost if it is not known whether it was committed. */
  write<T>(work: Work<D, T>): Promise<T>
  /** A transaction that takes whatever time it needs, and that no two processes have at once. */
  migrate<T>(work: Work<D, T>): Promise<T>
  /** Resolves once the database can be reached, or the signal is aborted. */
  reached(signal: AbortSignal): Promise<void>
  /** When the transaction is committed, wakes those who watch. */
  notify(tx: Kysely<D>): Promise<void>
  /** The listener is called after somebody else notified; not always, as messages can be lost. */
  watch(listener: () => void): void
  /**
   * Takes, or keeps, the one lock of the database, which is free again as soon as whoever has it is gone. Undefined if another gateway has it;
   * `taken` if it may have been free since this one had it last.
   */
  lock(gateway: string): Promise<'taken' | 'kept' | undefined>
  /** Frees the lock if that gateway has it. */
  unlock(gateway: string): Promise<void>
  /** Finishes calls in progress. */
  close(): Promise<void>
}

/** The database cannot be reached, or did not answer in time. */
export class Unreachable extends Failure {
  constructor(options?: ErrorOptions) {
    super(
      'DependencyTimeout',
      'The database of the gateway cannot be reached. Nothing was changed; retry the request.',
      options,
    )
  }
}

/** The connection was lost after the database had been asked to commit, and before it answered. */
export class CommitLost extends Error {
  constructor(options: ErrorOptions) {
    super('the connection to the database was lost during a commit', options)
    this.name = 'CommitLost'
  }
}
