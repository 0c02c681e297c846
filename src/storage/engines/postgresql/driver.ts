/** Kysely's driver for PostgreSQL, over a pool of sessions. */
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from 'kysely'
import type { Pool, PoolClient, QueryResult as Result } from 'pg'
import { CommitLost } from '../engine.ts'
import { isLost } from './errors.ts'
import { encodeText } from './text.ts'

/** No session could be opened. */
export class CannotConnect extends Error {
  constructor(options: ErrorOptions) {
    super('no session could be opened', options)
    this.name = 'CannotConnect'
  }
}

/** A session has ended before an answer. */
export class SessionLost extends Error {
  constructor(options: ErrorOptions) {
    super('a session was lost', options)
    this.name = 'SessionLost'
  }
}

export class PostgresqlDriver implements Driver {
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PostgresqlConnection> {
    try {
      return new PostgresqlConnection(await this.#pool.connect())
    } catch (error) {
      throw new CannotConnect({ cause: error })
    }
  }

  async beginTransaction(
    connection: PostgresqlConnection,
    { isolationLevel = 'read committed', accessMode }: TransactionSettings,
  ): Promise<void> {
    connection.begin(`start transaction isolation level ${isolationLevel} ${accessMode ?? ''}`)
  }

  commitTransaction(connection: PostgresqlConnection): Promise<void> {
    return connection.commit()
  }

  rollbackTransaction(connection: PostgresqlConnection): Promise<void> {
    return connection.rollback()
  }

  async releaseConnection(connection: PostgresqlConnection): Promise<void> {
    connection.release()
  }

  async destroy(): Promise<void> {}
}

class PostgresqlConnection implements DatabaseConnection {
  readonly #client: PoolClient
  /** The beginning of a transaction, which is sent with its first statement. */
  #beginning: string | undefined
  /** A NOTIFY, which has no effect before the commit, and is sent with it. */
  #notify: string | undefined
  #broken = false

  constructor(client: PoolClient) {
    this.#client = client
    // Queries in progress are rejected.
    client.on('error', this.#onError)
  }

  readonly #onError = () => {
    this.#broken = true
  }

  begin(statement: string): void {
    this.#beginning = statement
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    if (sql.startsWith('notify ')) {
      this.#notify = sql
      return { rows: [] }
    }
    const beginning = this.#beginning
    this.#beginning = undefined
    if (beginning !== undefined && parameters.length === 0)
      return toQueryResult(await this.#send(`${beginning}; ${sql}`))
    if (beginning !== undefined) await this.#send(beginning)
    return toQueryResult(await this.#send(sql, parameters))
  }

  /** Throws CommitLost. */
  async commit(): Promise<void> {
    if (this.#beginning !== undefined) return
    let result: Result
    try {
      // While it waits for standbys, a time-out would make the server answer that it has committed.
      const statements = [this.#notify, 'set local statement_timeout = 0', 'commit']
      result = await this.#send(statements.filter(statement => statement !== undefined).join('; '))
    } catch (error) {
      throw error instanceof SessionLost ? new CommitLost({ cause: error.cause }) : error
    }
    if (result.command !== 'COMMIT') throw new Error('the transaction had failed before it was committed')
  }

  async rollback(): Promise<void> {
    if (this.#beginning !== undefined || this.#broken) return
    await this.#send('rollback').catch(() => {
      this.#broken = true
    })
  }

  release(): void {
    this.#client.off('error', this.#onError)
    this.#client.release(this.#broken)
  }

  /** The result of the last statement. */
  async #send(sql: string, parameters?: readonly unknown[]): Promise<Result> {
    try {
      const values = parameters?.map(value => (typeof value === 'string' ? encodeText(value) : value))
      const results: Result | Result[] = await this.#client.query(sql, values)
      return Array.isArray(results) ? results.at(-1)! : results
    } catch (error) {
      if (!isLost(error)) throw error
      this.#broken = true
      throw new SessionLost({ cause: error })
    }
  }

  // biome-ignore lint/correctness/useYield: there is nothing to stream
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('queries are not streamed')
  }
}

function toQueryResult<R>({ command, rowCount, rows }: Result): QueryResult<R> {
  const changes = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE'
  return { rows, ...(changes && { numAffectedRows: BigInt(rowCount ?? 0) }) }
}
