/** How many encryptions were made under each key material, at most; and since when uses of keys are tracked, in the one row of usage_tracking. */
import type { Kysely } from 'kysely'
import type { EncryptionCount } from '../encryption-counts.ts'
import type { Database } from './database.ts'
import { batches } from './table.ts'

/** From here on, each count may be behind by as many. */
export interface Tracking {
  readonly unwritten: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/**
 * Adds to each count what the last run may not have written. Returns when tracking began: milliseconds since the epoch. Runs in a
 * transaction of the caller.
 */
export async function beginTracking(db: Kysely<Database>, { unwritten, now }: Tracking): Promise<number> {
  const { started_at, unwritten_encryptions } = await db
    .selectFrom('usage_tracking')
    .selectAll()
    .executeTakeFirstOrThrow()
  if (unwritten_encryptions > 0) await addToAll(db, unwritten_encryptions)
  const startedAt = started_at ?? now
  await db.updateTable('usage_tracking').set({ started_at: startedAt, unwritten_encryptions: unwritten }).execute()
  return startedAt
}

/** Every count is written. */
export async function endTracking(db: Kysely<Database>): Promise<void> {
  await db.updateTable('usage_tracking').set({ unwritten_encryptions: 0 }).execute()
}

/** Adds to the count of each material that encrypts. One pass over the table is faster than an upsert of each row. */
export async function addToAll(db: Kysely<Database>, unwritten: number): Promise<void> {
  const ofKeys = db
    .selectFrom('keys')
    .innerJoin('key_materials', 'key_materials.key_arn', 'keys.arn')
    .where('keys.spec', '=', 'SYMMETRIC_DEFAULT')
    .select('key_materials.id as material')
  const all = ofKeys.unionAll(db.selectFrom('system_keys').select('object as material'))
  const missing = db
    .selectFrom(all.as('materials'))
    .select(({ lit }) => ['material', lit(0).as('count')])
    .distinct()
    .where('material', 'not in', db.selectFrom('encryption_counts').select('material'))
  await db.insertInto('encryption_counts').columns(['material', 'count']).expression(missing).execute()
  await db
    .updateTable('encryption_counts')
    .set(({ eb }) => ({ count: eb('count', '+', unwritten) }))
    .execute()
}

/** The counts of at most `limit` materials after one, in their order. */
export interface CountsPage {
  readonly after: string
  readonly limit: number
}

export async function loadEncryptionCounts(
  db: Kysely<Database>,
  { after, limit }: CountsPage,
): Promise<EncryptionCount[]> {
  const following = db.selectFrom('encryption_counts').selectAll().where('material', '>', after)
  return following.orderBy('material').limit(limit).execute()
}

/** Those of materials that no key has are left out. Runs in a transaction of the caller. */
export async function writeEncryptionCounts(db: Kysely<Database>, counts: readonly EncryptionCount[]): Promise<void> {
  for (const batch of batches(counts)) {
    await db
      .insertInto('encryption_counts')
      .values(batch)
      .onConflict(conflict => conflict.column('material').doUpdateSet(row => ({ count: row.ref('excluded.count') })))
      .execute()
    const materials = batch.map(({ material }) => material)
    await removeEncryptionCounts(db, materials)
  }
}

/** But for those of materials that a key has. Runs in a transaction of the caller. */
export async function removeEncryptionCounts(db: Kysely<Database>, materials: readonly string[]): Promise<void> {
  await db
    .deleteFrom('encryption_counts')
    .where('material', 'in', materials)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('key_materials').select('id').whereRef('id', '=', 'encryption_counts.material'))),
    )
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('system_keys').select('object').whereRef('object', '=', 'encryption_counts.material'))),
    )
    .execute()
}
