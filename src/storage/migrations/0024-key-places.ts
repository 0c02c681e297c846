/** Multi-Region keys, and keys in custom key stores. */
import type { Migration } from './migration.ts'

export const keyPlaces: Migration = async (db, { text }) => {
  const columns = [
    ['multi_region', text],
    ['pending_window', 'integer'],
    ['custom_key_store_id', text],
    ['xks_key_id', text],
  ] as const
  for (const [name, type] of columns) await db.schema.alterTable('keys').addColumn(name, type).execute()
}
