/** What makes the rows of a backup a storage that can be used, although the world went on after the backup. */
import { type Kysely, sql } from 'kysely'
import type { HeldRecord } from '../storage.ts'
import { writeClock } from '../tables/clock.ts'
import type { Database } from '../tables/database.ts'
import { addToAll } from '../tables/encryption-counts.ts'
import { holdRecord } from '../tables/outbox.ts'

export interface Restoration {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** How many messages each key may have encrypted since the backup. */
  readonly encryptions: number
  /** The audit record of the restoration. */
  readonly record: HeldRecord
}

/** More commits than there can have been since any backup. Their numbers stay exact: there is room for two million restorations. */
const skippedNumbers = 2 ** 32
/** Milliseconds: AWS's shortest waiting period. */
const waitingPeriod = 7 * 86_400_000

export async function markRestored(db: Kysely<Database>, { now, encryptions, record }: Restoration): Promise<void> {
  // No number of a commit that the backup does not have is given out again: a gateway may still have it in its view.
  await db
    .updateTable('change_number')
    .set(({ eb }) => ({ last: eb('last', '+', skippedNumbers) }))
    .execute()
  await db.updateTable('gateways').set({ lease_until: 0 }).execute()
  // Scheduled deletions and rotations wait until the clock has been observed. A deletion may have been cancelled since the backup: its
  // waiting period begins again.
  await writeClock(db, { wall: now, trusted: false, observed: 0, drift: 0, gap: 0 })
  const earliest = now + waitingPeriod
  await db.updateTable('keys').set({ deletion_date: earliest }).where('deletion_date', '<', earliest).execute()
  // Sessions may have been revoked, and spare keys may have become KMS keys: both are given up.
  await db
    .updateTable('principals')
    .set({ sessions_revoked_before: now })
    .where(sql<number>`coalesce(sessions_revoked_before, 0)`, '<', now)
    .execute()
  await db.deleteFrom('spare_keys').execute()
  if (encryptions > 0) await addToAll(db, encryptions)
  await holdRecord(db, record, undefined)
}
