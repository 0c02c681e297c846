/**
 * Gateways that have, or had, a lease. It lasts until it is given back, or until somebody who has waited for its end ends it: the clock of the
 * database tells people when that is, and decides nothing.
 */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Member } from '../storage.ts'
import { type ChangePosition, isInLog } from './changes.ts'
import type { Database } from './database.ts'

/** What a gateway says of itself when it asks for a lease. */
export interface LeaseRequest {
  readonly gateway: string
  /** Of its start: random. */
  readonly run: string
  /** Of the last change in its view. */
  readonly position: ChangePosition
  /** For which it is granted. */
  readonly milliseconds: number
  /** Of the run: another number each time. */
  readonly renewal: number
  /** JSON: what `strongroom fleet` shows. */
  readonly state: string
}

/** Which leases of a gateway: those of a run, or only one, as it was renewed last. */
export type LeaseOf = Pick<Member, 'run'> & Partial<Pick<Member, 'renewal' | 'leaseUntil'>>

/** False, having written nothing, if another run has the lease of that gateway. */
export async function renewLease(
  db: Kysely<Database>,
  { gateway: name, run, position, milliseconds: lease, renewal, state }: LeaseRequest,
  now: RawBuilder<number>,
): Promise<boolean> {
  const applied = (await isInLog(db, position)) ? position.number : 0
  const granted = { run, applied, state, lease, renewal, lease_until: sql<number>`${now} + ${sql.lit(lease)}` }
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('gateways')
    .values({ name, joined_at: now, ...granted })
    .onConflict(conflict =>
      conflict
        .column('name')
        .doUpdateSet(({ eb, ref }) => ({
          ...granted,
          joined_at: eb.case().when('gateways.run', '=', run).then(ref('gateways.joined_at')).else(now).end(),
        }))
        .where(({ or, eb }) => or([eb('gateways.run', '=', run), eb('gateways.lease_until', '=', 0)])),
    )
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

/** Of a gateway that has a lease. A position that a database does not have, as it went back in time, is ignored. */
export async function acknowledge(
  db: Kysely<Database>,
  gateway: string,
  run: string,
  position: ChangePosition,
): Promise<void> {
  if (!(await isInLog(db, position))) return
  const { number: applied } = position
  await db.updateTable('gateways').set({ applied }).where('name', '=', gateway).where('run', '=', run).execute()
}

/** Whether a run of a gateway has a lease. */
export async function hasLease(db: Kysely<Database>, gateway: string, run: string): Promise<boolean> {
  const live = db.selectFrom('gateways').select('run').where('name', '=', gateway).where('lease_until', '>', 0)
  return (await live.executeTakeFirst())?.run === run
}

export async function members(db: Kysely<Database>, now: RawBuilder<number>): Promise<Member[]> {
  const rows = await db
    .selectFrom('gateways')
    .selectAll()
    .select(now.as('now'))
    .select(({ selectFrom, ref, eb, lit }) => [
      selectFrom('change_number').select('last').as('last'),
      selectFrom('job_lease').select('gateway').as('jobs_of'),
      selectFrom('changes')
        .select(({ fn }) => fn.min('committed_at').as('since'))
        .where('number', '=', eb(ref('gateways.applied'), '+', lit(1)))
        .as('behind_since'),
    ])
    .orderBy('name')
    .execute()
  return rows.map(
    ({ name, run, applied, joined_at, lease_until, lease, renewal, state, now, last, behind_since, jobs_of }) => {
      const leaseLeft = Math.max(0, Math.min(lease_until - now, lease ?? Number.POSITIVE_INFINITY))
      return {
        gateway: name,
        run,
        applied,
        changesBehind: Math.max(0, (last ?? 0) - applied),
        behindFor: behind_since === null ? 0 : Math.max(0, now - Number(behind_since)),
        joinedAt: joined_at,
        holdsLease: lease_until > 0,
        // A former version tells its end only, by the clock of the database.
        lease: lease ?? leaseLeft,
        renewal,
        leaseUntil: lease_until,
        leaseLeft,
        runsJobs: lease_until > 0 && jobs_of === name,
        state,
      }
    },
  )
}

/** False if it was another one. @param of default any, as the gateway certainly runs no more */
export async function endLease(db: Kysely<Database>, gateway: string, of?: LeaseOf): Promise<boolean> {
  let ended = db.updateTable('gateways').set({ lease_until: 0 }).where('name', '=', gateway)
  if (of) ended = ended.where('run', '=', of.run)
  if (of?.renewal !== undefined) ended = ended.where('renewal', '=', of.renewal)
  if (of?.leaseUntil !== undefined) ended = ended.where('lease_until', '=', of.leaseUntil)
  const { numUpdatedRows } = await ended.executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

export async function removeGateway(db: Kysely<Database>, gateway: string): Promise<void> {
  await db.deleteFrom('gateways').where('name', '=', gateway).execute()
}
