/** Public keys, read once from the HSM, in the records of their private keys. */
import type { Migration } from './migration.ts'

export const publicKeys: Migration = async (db, { bytes }) => {
  await db.schema
    .alterTable('key_materials')
    .addColumn('public_key', bytes as 'blob')
    .execute()
}
