/** Keys of the gateway that were replaced, and still decrypt. */
import type { Migration } from './migration.ts'

export const formerSystemKeys: Migration = async (db, { text }) => {
  await db.schema.alterTable('system_keys').addColumn('former', text).execute()
}
