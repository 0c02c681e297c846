/** Finds the keys with an id: those of a multi-Region key. */
import type { Migration } from './migration.ts'

export const relatedKeys: Migration = async db => {
  await db.schema.createIndex('keys_by_id').on('keys').column('id').execute()
}
