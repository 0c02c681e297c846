/**
 * Each gateway has an audit journal of its own. The tables `outbox_position` and `last_run`, of which each has one row, are no longer used;
 * they stay for a former version that runs meanwhile.
 */
import { sql } from 'kysely'
import type { Migration } from './migration.ts'

export const journals: Migration = async (db, { text }) => {
  await db.schema
    .createTable('journals')
    .addColumn('id', text, column => column.primaryKey())
    .addColumn('gateway', text)
    .addColumn('registered_at', 'bigint', column => column.notNull())
    .addColumn('position', text)
    .addColumn('head', text)
    .addColumn('run', text)
    .execute()
  await db.schema.alterTable('outbox').addColumn('change_number', 'bigint').execute()
  await db.schema
    .createTable('taken_records')
    .addColumn('event_id', text, column => column.primaryKey())
    .addColumn('origin', text, column => column.notNull())
    .execute()
  // A position begins with the UUID of its journal; those of the first versions did not.
  await sql`
    insert into journals (id, gateway, registered_at, position, run)
    select substr(position, 1, 36), null, 0, position, (select run from last_run)
    from outbox_position where position like '________-____-____-____-____________:%'`.execute(db)
}
