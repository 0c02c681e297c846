/** Where the audit journal ended when the outbox was emptied last. */
import { sql } from 'kysely'
import type { Migration } from './migration.ts'

export const outboxPosition: Migration = async (db, { text }) => {
  await db.schema.createTable('outbox_position').addColumn('position', text).execute()
  await sql`insert into outbox_position (position) values (null)`.execute(db)
}
