/** Public keys are kept where their private keys are remembered: they are read from the HSM once. */
import type { Migration } from './migration.ts'

export const publicKeys: Migration = async (db, { bytes }) => {
  await db.schema
    .alterTable('key_materials')
    .addColumn('public_key', bytes as 'blob')
    .execute()
}
