/** Drops the log of changes, which grew with each commit and was never read. Adds a row for the write check. */
import { sql } from 'kysely'
import type { Migration } from './migration.ts'

export const writeCheck: Migration = async db => {
  for (const table of ['changes', 'sequences']) await db.schema.dropTable(table).execute()
  await db.schema
    .createTable('write_check')
    .addColumn('count', 'bigint', column => column.notNull())
    .execute()
  await sql`insert into write_check (count) values (0)`.execute(db)
}
