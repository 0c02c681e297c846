/** RSA keys generated ahead. */
import type { Migration } from './migration.ts'

export const spareKeys: Migration = async (db, { text, bytes }) => {
  await db.schema
    .createTable('spare_keys')
    .addColumn('material', text, column => column.primaryKey())
    .addColumn('hsm', text, column => column.notNull())
    .addColumn('spec', text, column => column.notNull())
    .addColumn('usage', text, column => column.notNull())
    .addColumn('custody', text, column => column.notNull())
    .addColumn('public_key', bytes as 'blob', column => column.notNull())
    .addColumn('revision', 'bigint', column => column.notNull())
    .execute()
}
