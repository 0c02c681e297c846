/** Key pairs that unwrap imported key material. */
import type { Migration } from './migration.ts'

export const wrappingKeys: Migration = async (db, { text, bytes }) => {
  await db.schema
    .createTable('wrapping_keys')
    .addColumn('key_arn', text, column => column.notNull())
    .addColumn('spec', text, column => column.notNull())
    .addColumn('day', 'integer', column => column.notNull())
    .addColumn('object', text, column => column.notNull())
    .addColumn('hsm', text, column => column.notNull())
    .addColumn('custody', text, column => column.notNull())
    .addColumn('public_key', bytes as 'blob', column => column.notNull())
    .addColumn('revision', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('wrapping_keys_of_key', ['key_arn', 'spec', 'day'])
    .execute()
}
