/** Keys that sign the audit journal. */
import type { Migration } from './migration.ts'

export const auditKeys: Migration = async (db, { text, bytes }) => {
  await db.schema
    .alterTable('system_keys')
    .addColumn('public_key', bytes as 'blob')
    .execute()
  await db.schema.alterTable('system_keys').addColumn('changes', text).execute()
}
