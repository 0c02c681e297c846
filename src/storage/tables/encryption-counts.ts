/**
 * How many encryptions were made under each key material, at most, but for what the gateways have not written yet; and since when uses of keys
 * are tracked, in the one row of usage_tracking.
 */
import type { Kysely } from 'kysely'
import type { EncryptionCount } from '../encryption-counts.ts'
import type { Database } from './database.ts'
import { batches } from './table.ts'

/** Of a gateway: from here on, each count may be behind by as many. */
export interface Tracking {
  readonly gateway: string
  readonly unwritten: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** What a gateway learns when it starts to count, or writes. */
export interface CountedByOthers {
  /** Other gateways that may be ahead of what is stored. */
  readonly others: number
}

/**
 * Adds to each count what the last run of the gateway may not have written. Resolves to when tracking began: milliseconds since the epoch.
 * Runs in a transaction of the caller.
 */
export async function beginTracking(
  db: Kysely<Database>,
  { gateway, unwritten, now }: Tracking,
): Promise<CountedByOthers & { readonly startedAt: number }> {
  // The empty name is that of a former version.
  const before = db.deleteFrom('encryption_tracking').where('gateway', 'in', ['', gateway])
  const behind = (await before.returning('unwritten').execute()).reduce((sum, row) => sum + row.unwritten, 0)
  if (behind > 0) await addToAll(db, behind)
  await db.insertInto('encryption_tracking').values({ gateway, unwritten }).execute()
  const { started_at } = await db.selectFrom('usage_tracking').select('started_at').executeTakeFirstOrThrow()
  if (started_at === null) await db.updateTable('usage_tracking').set({ started_at: now }).execute()
  return { startedAt: started_at ?? now, others: await countOthers(db, gateway) }
}

/** Every count of the gateway is written. */
export async function endTracking(db: Kysely<Database>, gateway: string): Promise<void> {
  await db.updateTable('encryption_tracking').set({ unwritten: 0 }).where('gateway', '=', gateway).execute()
}

async function countOthers(db: Kysely<Database>, gateway: string): Promise<number> {
  const others = db.selectFrom('encryption_tracking').where('gateway', '<>', gateway).where('unwritten', '>', 0)
  return (await others.select('gateway').execute()).length
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
  await db
    .insertInto('encryption_counts')
    .columns(['material', 'count'])
    .expression(missing)
    .onConflict(conflict => conflict.doNothing())
    .execute()
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

/** Counts from here on are read whenever a gateway writes, as the others make them grow: there are few. */
const large = 2 ** 24

/**
 * Adds to the counts. Resolves to what they are now, and to those of other materials that are large. Those of materials that no key has are
 * left out. Runs in a transaction of the caller.
 */
export async function addEncryptionCounts(
  db: Kysely<Database>,
  gateway: string,
  added: readonly EncryptionCount[],
): Promise<CountedByOthers & { readonly counts: readonly EncryptionCount[] }> {
  const counts: EncryptionCount[] = []
  // In one order, so that two gateways do not wait for each other.
  const inOrder = [...added].sort((one, other) => (one.material < other.material ? -1 : 1))
  for (const batch of batches(inOrder)) {
    const totals = await db
      .insertInto('encryption_counts')
      .values(batch)
      .onConflict(conflict =>
        conflict
          .column('material')
          .doUpdateSet(({ eb, ref }) => ({ count: eb('encryption_counts.count', '+', ref('excluded.count')) })),
      )
      .returning(['material', 'count'])
      .execute()
    counts.push(...totals)
    const materials = batch.map(({ material }) => material)
    await removeEncryptionCounts(db, materials)
  }
  const largeOnes = await db.selectFrom('encryption_counts').selectAll().where('count', '>=', large).execute()
  return { counts: [...counts, ...largeOnes], others: await countOthers(db, gateway) }
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
