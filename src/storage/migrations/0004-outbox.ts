/** Audit records, kept with their changes until the journal has them. */
import type { Migration } from './migration.ts'

export const outbox: Migration = async (db, { text }) => {
  await db.schema
    .createTable('outbox')
    .addColumn('event_id', text, column => column.primaryKey())
    .addColumn('position', text, column => column.notNull())
    .addColumn('record', text, column => column.notNull())
    .execute()
}
