/** Storage as a whole, for commands that read or fill it while no gateway has it, or beside those that have. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import type { Config } from '../config.ts'
import { OperatorError } from '../errors.ts'
import type { Engine } from '../storage/engines/engine.ts'
import { sqlite } from '../storage/engines/sqlite.ts'
import { copyDatabase } from '../storage/engines/sqlite-snapshot.ts'
import { explained } from '../storage/kysely-database.ts'
import { EmptyDatabase, migrate } from '../storage/migrations/migrate.ts'
import type { Database } from '../storage/tables/database.ts'
import { postgresqlEngine } from './storage.ts'

/** Milliseconds, monotonic. */
export const elapsed = () => performance.now()

/** @param create whether an empty database is filled */
export async function engineOf({ file, postgres }: Config['storage'], create = false): Promise<Engine> {
  return file === undefined ? postgresqlEngine(postgres!, create) : sqlite(file, { create })
}

export function engineName({ file }: Config['storage']): 'sqlite' | 'postgresql' {
  return file === undefined ? 'postgresql' : 'sqlite'
}

/**
 * Reads one snapshot of the storage, which gateways may use and change meanwhile. A SQLite file is locked by them, and copied to a temporary
 * folder. Throws OperatorError, EmptyDatabase.
 *
 * @param work may be done again, if it had no effect
 */
export async function readSnapshot<T>(
  storage: Config['storage'],
  work: (db: Kysely<Database>) => Promise<T>,
): Promise<T> {
  const { file } = storage
  if (file === undefined) return read(await engineOf(storage), work)
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-'))
  const copy = join(folder, 'copy.db')
  try {
    copyDatabase(file, copy)
    return await read(sqlite(copy), work)
  } catch (error) {
    if (!(error instanceof OperatorError) || error instanceof EmptyDatabase) throw error
    throw new OperatorError(error.message.replaceAll(copy, file), { cause: error })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function read<T>(engine: Engine, work: (db: Kysely<Database>) => Promise<T>): Promise<T> {
  const connections = engine.connect<Database>()
  try {
    await connections.migrate(tx => migrate(tx, engine))
    return await connections.read(work)
  } catch (error) {
    throw explained(engine, error)
  } finally {
    await connections.close()
  }
}
