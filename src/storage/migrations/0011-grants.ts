/** Grants of keys. */
import type { Migration } from './migration.ts'

export const grants: Migration = async (db, { text }) => {
  await db.schema
    .createTable('grants')
    .addColumn('key_arn', text, column => column.notNull())
    .addColumn('id', text, column => column.notNull())
    .addColumn('region', text, column => column.notNull())
    .addColumn('name', text)
    .addColumn('grantee_arn', text, column => column.notNull())
    .addColumn('grantee_id', text)
    .addColumn('retiring_arn', text)
    .addColumn('retiring_id', text)
    .addColumn('issuing_account', text, column => column.notNull())
    .addColumn('operations', text, column => column.notNull())
    .addColumn('constraints', text)
    .addColumn('creation_date', 'bigint', column => column.notNull())
    .addColumn('fingerprint', text)
    .addColumn('revision', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('grants_of_key', ['key_arn', 'id'])
    .addUniqueConstraint('grants_of_request', ['key_arn', 'fingerprint'])
    .addForeignKeyConstraint('grants_key', ['key_arn'], 'keys', ['arn'], constraint =>
      constraint.deferrable().initiallyDeferred(),
    )
    .execute()
  await db.schema.createIndex('grants_to_grantee').on('grants').columns(['key_arn', 'grantee_arn', 'id']).execute()
  await db.schema.createIndex('grants_to_retire').on('grants').columns(['retiring_arn', 'region', 'id']).execute()
}
