/** Gateways that have, or had, a lease. All times are those of the database's clock. */
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
  /** JSON: what `strongroom fleet` shows. */
  readonly state: string
}

/** False, having written nothing, if another run has the lease of that gateway. */
export async function renewLease(
  db: Kysely<Database>,
  { gateway: name, run, position, milliseconds, state }: LeaseRequest,
  now: RawBuilder<number>,
): Promise<boolean> {
  const applied = (await isInLog(db, position)) ? position.number : 0
  const lease = { run, applied, state, lease_until: sql<number>`${now} + ${sql.lit(milliseconds)}` }
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('gateways')
    .values({ name, joined_at: now, ...lease })
    .onConflict(conflict =>
      conflict
        .column('name')
        .doUpdateSet(({ eb, ref }) => ({
          ...lease,
          joined_at: eb.case().when('gateways.run', '=', run).then(ref('gateways.joined_at')).else(now).end(),
        }))
        .where(({ or, eb }) => or([eb('gateways.run', '=', run), eb('gateways.lease_until', '<', now)])),
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
export async function hasLease(
  db: Kysely<Database>,
  gateway: string,
  run: string,
  now: RawBuilder<number>,
): Promise<boolean> {
  const live = db.selectFrom('gateways').select('run').where('name', '=', gateway).where('lease_until', '>', now)
  return (await live.executeTakeFirst())?.run === run
}

export async function members(db: Kysely<Database>, now: RawBuilder<number>): Promise<Member[]> {
  const rows = await db
    .selectFrom('gateways')
    .selectAll()
    .select(now.as('now'))
    .select(({ selectFrom, ref, eb, lit }) => [
      selectFrom('change_number').select('last').as('last'),
      selectFrom('changes')
        .select(({ fn }) => fn.min('committed_at').as('since'))
        .where('number', '=', eb(ref('gateways.applied'), '+', lit(1)))
        .as('behind_since'),
    ])
    .orderBy('name')
    .execute()
  return rows.map(({ name, run, applied, joined_at, lease_until, state, now, last, behind_since }) => ({
    gateway: name,
    run,
    applied,
    changesBehind: Math.max(0, (last ?? 0) - applied),
    behindFor: behind_since === null ? 0 : Math.max(0, now - Number(behind_since)),
    joinedAt: joined_at,
    leaseLeft: Math.max(0, lease_until - now),
    state,
  }))
}

/** @param run of the gateway: default any, as it certainly runs no more */
export async function endLease(db: Kysely<Database>, gateway: string, run?: string): Promise<void> {
  const ended = db.updateTable('gateways').set({ lease_until: 0 }).where('name', '=', gateway)
  await (run === undefined ? ended : ended.where('run', '=', run)).execute()
}

export async function removeGateway(db: Kysely<Database>, gateway: string): Promise<void> {
  await db.deleteFrom('gateways').where('name', '=', gateway).execute()
}
