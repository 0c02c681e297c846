/** The last run of the gateway, so that the next one can record what has changed. */
import { sql } from 'kysely'
import type { Migration } from './migration.ts'

export const lastRun: Migration = async (db, { text }) => {
  await db.schema.createTable('last_run').addColumn('run', text).execute()
  await sql`insert into last_run (run) values (null)`.execute(db)
}
