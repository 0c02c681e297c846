/** Whoever waits for the end of a lease measures it: how long it is, and whether it was renewed. */
import type { Migration } from './migration.ts'

export const renewals: Migration = async db => {
  await db.schema.alterTable('gateways').addColumn('lease', 'bigint').execute()
  await db.schema
    .alterTable('gateways')
    .addColumn('renewal', 'bigint', column => column.notNull().defaultTo(0))
    .execute()
}
