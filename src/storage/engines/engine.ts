import type { Dialect, Expression, RawBuilder } from 'kysely'

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
  /** Connects at the first query. */
  readonly dialect: Dialect
  readonly types: ColumnTypes
  /** The clock of the database: milliseconds since the epoch, not those of the start of the transaction. */
  readonly now: RawBuilder<number>
  /** Whether several gateways use the database: only then is there a log of their commits. */
  readonly fleet: boolean
  /** Whether a missing or empty database is created. */
  readonly creates: boolean
  /** Throws if writes would be lost, because the open file is no longer the one at its path. */
  verify(): void
  /** Whether the transaction failed because a record refers to a missing one. */
  violatesReference(error: unknown): boolean
  /** Why the database cannot be opened, as the rest of a sentence that begins with its name. */
  explain(error: unknown): string
}
