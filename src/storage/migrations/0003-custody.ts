/** Check values that bind each record to its HSM object, and faults found by custody checks. */
import type { Migration } from './migration.ts'

export const custody: Migration = async (db, { text, bytes }) => {
  for (const table of ['key_materials', 'system_keys']) {
    await db.schema
      .alterTable(table)
      .addColumn('check_value', bytes as 'blob')
      .execute()
  }
  await db.schema.alterTable('keys').addColumn('custody_fault', text).execute()
}
