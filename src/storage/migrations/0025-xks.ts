/** Prefixes and external keys of the XKS proxy. */
import type { Migration } from './migration.ts'

export const xks: Migration = async (db, { text }) => {
  await db.schema
    .createTable('xks_prefixes')
    .addColumn('name', text, column => column.primaryKey())
    .addColumn('account', text, column => column.notNull())
    .addColumn('region', text, column => column.notNull())
    .addColumn('frozen', 'integer', column => column.notNull())
    .addColumn('credentials', text, column => column.notNull())
    .addColumn('client_certificate', text)
    .addColumn('quota', 'integer')
    .addColumn('sample_proxy_aad', 'integer', column => column.notNull())
    .addColumn('revision', 'bigint', column => column.notNull())
    .execute()
  await db.schema
    .createTable('xks_keys')
    .addColumn('prefix', text, column => column.notNull())
    .addColumn('id', text, column => column.notNull())
    .addColumn('key_arn', text, column => column.notNull())
    .addColumn('frozen', 'integer', column => column.notNull())
    .addColumn('pin_first_user', 'integer', column => column.notNull())
    .addColumn('pinned_to', text)
    .addColumn('revision', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('xks_keys_of_prefix', ['prefix', 'id'])
    .addForeignKeyConstraint('xks_keys_prefix', ['prefix'], 'xks_prefixes', ['name'], constraint =>
      constraint.deferrable().initiallyDeferred(),
    )
    .execute()
}
