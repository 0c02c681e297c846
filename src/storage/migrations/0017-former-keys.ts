/** The keys that an alias named before, and the one that is to follow. */
import type { Migration } from './migration.ts'

export const formerKeys: Migration = async (db, { text }) => {
  await db.schema.alterTable('aliases').addColumn('former_keys', text).execute()
  await db.schema.alterTable('aliases').addColumn('successor_key_arn', text).execute()
}
