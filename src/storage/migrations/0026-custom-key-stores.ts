/** Custom key stores. */
import type { Migration } from './migration.ts'

export const customKeyStores: Migration = async (db, { text, bytes }) => {
  await db.schema
    .createTable('custom_key_stores')
    .addColumn('id', text, column => column.primaryKey())
    .addColumn('account', text, column => column.notNull())
    .addColumn('region', text, column => column.notNull())
    .addColumn('name', text, column => column.notNull())
    .addColumn('type', text, column => column.notNull())
    .addColumn('creation_date', 'bigint', column => column.notNull())
    .addColumn('state', text, column => column.notNull())
    .addColumn('connection_error_code', text)
    .addColumn('cloud_hsm', text)
    .addColumn('xks', text)
    .addColumn('sealed_secret', bytes)
    .addColumn('revision', 'bigint', column => column.notNull())
    .execute()
  await db.schema
    .createTable('custom_key_store_claims')
    .addColumn('value', text, column => column.primaryKey())
    .addColumn('store_id', text, column => column.notNull())
    .execute()
  await db.schema
    .createIndex('keys_of_custom_key_store')
    .on('keys')
    .columns(['custom_key_store_id', 'xks_key_id'])
    .unique()
    .execute()
}
