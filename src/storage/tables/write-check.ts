import type { Kysely } from 'kysely'
import type { Database } from './database.ts'

/** Rejects if the database is not writable. Increments a counter, as an update that changes nothing would not reach the disk. */
export async function checkWrite(db: Kysely<Database>): Promise<void> {
  await db
    .updateTable('write_check')
    .set(row => ({ count: row('count', '+', 1) }))
    .returning('count')
    .executeTakeFirstOrThrow()
}
