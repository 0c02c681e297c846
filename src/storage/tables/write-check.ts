import type { Kysely } from 'kysely'
import type { Database } from './database.ts'

/** Rejects when the database cannot be written. It counts, because an update that changes nothing would not reach the disk. */
export async function checkWrite(db: Kysely<Database>): Promise<void> {
  await db
    .updateTable('write_check')
    .set(row => ({ count: row('count', '+', 1) }))
    .returning('count')
    .executeTakeFirstOrThrow()
}
