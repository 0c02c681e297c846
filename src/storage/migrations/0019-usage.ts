/** Encryptions under each key material, and the last use of each key. */
import { sql } from 'kysely'
import type { Migration } from './migration.ts'

export const usage: Migration = async (db, { text }) => {
  await db.schema
    .createTable('encryption_counts')
    .addColumn('material', text, column => column.primaryKey())
    .addColumn('count', 'bigint', column => column.notNull())
    .execute()
  await db.schema
    .createTable('key_uses')
    .addColumn('key_arn', text, column => column.primaryKey())
    .addColumn('operation', text, column => column.notNull())
    .addColumn('used_at', 'bigint', column => column.notNull())
    .addColumn('event_id', text, column => column.notNull())
    .addColumn('request_id', text, column => column.notNull())
    .execute()
  await db.schema
    .createTable('usage_tracking')
    .addColumn('started_at', 'bigint')
    .addColumn('unwritten_encryptions', 'bigint', column => column.notNull())
    .execute()
  await sql`insert into usage_tracking (unwritten_encryptions) values (0)`.execute(db)
  await db.schema.createIndex('key_materials_by_id').on('key_materials').column('id').execute()
}
