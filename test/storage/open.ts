/** Storage as the gateway opens it, and in this thread. */
import type { Engine } from '../../src/storage/engines/engine.ts'
import { postgresql } from '../../src/storage/engines/postgresql/postgresql.ts'
import type { PostgresqlOptions } from '../../src/storage/engines/postgresql/session.ts'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import { openStorage } from '../../src/storage/sql-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { openInThread } from '../../src/storage/threaded-database.ts'
import type { TestDatabase } from '../postgresql.ts'

export async function openFile(
  path: string,
  { create = false, ...options }: { create?: boolean; encryptionSlack?: number } = {},
): Promise<Storage> {
  return openStorage(await openInThread({ path, create }), { now: Date.now(), ...options })
}

export async function openHere(engine: Engine): Promise<Storage> {
  return openStorage(await openDatabase(engine), { now: Date.now() })
}

/** The engine of a PostgreSQL database of the tests. */
export function engineOf(database: TestDatabase, options: Partial<PostgresqlOptions> = {}, create = true): Engine {
  const { password, ...place } = database
  return postgresql(
    {
      ...place,
      schema: 'public',
      password: () => password,
      maxConnections: 4,
      connectTimeout: 5000,
      statementTimeout: 10_000,
      ...options,
    },
    { create },
  )
}
