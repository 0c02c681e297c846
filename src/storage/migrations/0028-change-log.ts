/** Gateways that share the database: the order of their commits, what each commit changed, and who they are. */
import { sql } from 'kysely'
import type { Migration } from './migration.ts'

export const changeLog: Migration = async (db, { text }) => {
  await db.schema
    .createTable('change_number')
    .addColumn('last', 'bigint', column => column.notNull())
    .execute()
  await sql`insert into change_number (last) values (0)`.execute(db)
  await db.schema
    .createTable('changes')
    .addColumn('number', 'bigint', column => column.notNull())
    .addColumn('position', 'integer', column => column.notNull())
    .addColumn('noun', text, column => column.notNull())
    .addColumn('record_key', text, column => column.notNull())
    .addColumn('scope', text)
    .addColumn('gateway', text, column => column.notNull())
    .addColumn('event_id', text)
    .addColumn('committed_at', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('changes_in_order', ['number', 'position'])
    .execute()
  await db.schema.createIndex('changes_of_event').on('changes').column('event_id').execute()
  await db.schema
    .createTable('gateways')
    .addColumn('name', text, column => column.primaryKey())
    .addColumn('run', text, column => column.notNull())
    .addColumn('joined_at', 'bigint', column => column.notNull())
    .addColumn('lease_until', 'bigint', column => column.notNull())
    .addColumn('applied', 'bigint', column => column.notNull())
    .addColumn('state', text, column => column.notNull())
    .execute()
}
