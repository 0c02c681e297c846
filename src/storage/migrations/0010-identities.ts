/** Roles, role sessions, permissions boundaries and tags; and the unique ids of the principals that a key policy names. */
import type { Migration } from './migration.ts'

export const identities: Migration = async (db, { text }) => {
  await db.schema.alterTable('principals').renameColumn('user_name', 'name').execute()
  await db.schema
    .alterTable('principals')
    .addColumn('type', text, column => column.notNull().defaultTo('user'))
    .execute()
  await db.schema.alterTable('principals').addColumn('permissions_boundary', text).execute()
  await db.schema
    .alterTable('principals')
    .addColumn('tags', text, column => column.notNull().defaultTo('[]'))
    .execute()
  await db.schema
    .createIndex('principals_by_name')
    .unique()
    .on('principals')
    .columns(['account', 'type', 'name'])
    .execute()
  await db.schema.createIndex('principals_by_id').unique().on('principals').column('principal_id').execute()
  await db.schema.alterTable('access_keys').addColumn('session', text).execute()
  await db.schema.alterTable('keys').addColumn('policy_principals', text).execute()
}
