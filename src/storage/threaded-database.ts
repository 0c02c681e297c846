/** An SQLite database in a thread of its own. */
import { extname } from 'node:path'
import { startThread } from '../threads.ts'
import { RemoteDatabase } from './remote-database.ts'
import type { SqlDatabase } from './sql-database.ts'

/** Start parameters of the thread. */
export interface ThreadData {
  readonly path: string
  readonly create: boolean
  /** Whether this process has the file for several gateways. */
  readonly fleet?: boolean
}

/** The thread holds only rows in transit: a small young generation keeps it small. */
const resourceLimits = { maxYoungGenerationSizeMb: 4 }

/**
 * Resolves once the database is readable and writable. Throws OperatorError. @param data path of the file, and whether it may be created
 */
export async function openInThread(data: ThreadData): Promise<SqlDatabase> {
  const file = new URL(`./database-thread${extname(import.meta.url)}`, import.meta.url)
  const database = new RemoteDatabase(startThread(file, data, resourceLimits))
  await database.opened
  return database
}
