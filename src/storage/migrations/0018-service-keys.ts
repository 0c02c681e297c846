/** The service whose key it is, of AWS managed and AWS owned keys. */
import type { Migration } from './migration.ts'

export const serviceKeys: Migration = async (db, { text }) => {
  await db.schema.alterTable('keys').addColumn('service', text).execute()
  await db.schema
    .alterTable('keys')
    .addColumn('owned', 'integer', column => column.notNull().defaultTo(0))
    .execute()
}
