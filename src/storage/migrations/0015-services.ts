/** Services: users whose access keys call as a service principal. */
import type { Migration } from './migration.ts'

export const services: Migration = async (db, { text }) => {
  await db.schema
    .createTable('services')
    .addColumn('name', text, column => column.primaryKey())
    .addColumn('user_arn', text, column => column.notNull().unique())
    .addColumn('accounts', text, column => column.notNull())
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('owner', text)
    .addColumn('revision', 'bigint', column => column.notNull())
    .addForeignKeyConstraint('services_user', ['user_arn'], 'principals', ['arn'], constraint =>
      constraint.deferrable().initiallyDeferred(),
    )
    .execute()
}
