import type { Dialect, Expression } from 'kysely'

/** Column types that have another name in every engine. */
export interface ColumnTypes {
  /** Text that compares and sorts by the bytes of its UTF-8. */
  readonly text: 'text' | Expression<unknown>
  readonly bytes: 'blob' | 'bytea'
}

/** What a database engine adds to the portable SQL of the tables. */
export interface Engine {
  /** For the operator: what is opened, and where. Never a password. */
  readonly name: string
  /** Connects at the first query. */
  readonly dialect: Dialect
  readonly types: ColumnTypes
  /** Whether a database that is not there, or empty, may become one. */
  readonly creates: boolean
  /** Throws when what is written would be lost, because the database that is open is no longer the one at its place. */
  verify(): void
  /** Whether the transaction failed because a record points at one that is not there. */
  violatesReference(error: unknown): boolean
  /** Why the database cannot be opened, as the end of a sentence that begins with its name. */
  explain(error: unknown): string
}
