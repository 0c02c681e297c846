/** The audit journals of all gateways that there ever were: none is removed. */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { JournalHead, JournalPositions, RegisteredJournal, Run } from '../storage.ts'
import type { Database } from './database.ts'

/** In order of registration. */
export async function listJournals(db: Kysely<Database>): Promise<RegisteredJournal[]> {
  const rows = await db
    .selectFrom('journals')
    .leftJoin('gateways', join => join.onRef('name', '=', 'gateway').on('lease_until', '>', 0))
    .select(['id', 'gateway', 'name', 'registered_at', 'position', 'head', 'journals.run'])
    .orderBy('registered_at')
    .orderBy('id')
    .execute()
  return rows.map(({ id, gateway, name, registered_at, position, head, run }) => ({
    id,
    gateway: gateway ?? undefined,
    isLive: name !== null,
    registeredAt: registered_at,
    positions: position === null ? undefined : positionsIn(position),
    head: head === null ? undefined : (JSON.parse(head) as JournalHead),
    run: run === null ? undefined : (JSON.parse(run) as Run),
  }))
}

/** Resolves to whether it is the journal of that gateway now: not if another one with a lease has it. */
export async function registerJournal(
  db: Kysely<Database>,
  id: string,
  gateway: string,
  now: RawBuilder<number>,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('journals')
    .values({ id, gateway, registered_at: now })
    .onConflict(conflict =>
      conflict
        .column('id')
        .doUpdateSet({ gateway })
        .where(({ or, eb, not, exists, selectFrom }) =>
          or([
            eb('journals.gateway', '=', gateway),
            not(
              exists(
                selectFrom('gateways')
                  .select('name')
                  .whereRef('name', '=', sql.ref('journals.gateway'))
                  .where('lease_until', '>', 0),
              ),
            ),
          ]),
        ),
    )
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

/** Both positions are text without spaces. */
export async function writePositions(
  db: Kysely<Database>,
  id: string,
  { end, earliest }: JournalPositions,
): Promise<void> {
  await db
    .updateTable('journals')
    .set({ position: `${end} ${earliest}` })
    .where('id', '=', id)
    .execute()
}

/** A former version wrote only the first. */
function positionsIn(text: string): JournalPositions {
  const [end, earliest = end] = text.split(' ')
  return { end: end!, earliest: earliest! }
}

export async function writeHead(db: Kysely<Database>, id: string, head: JournalHead): Promise<void> {
  await db
    .updateTable('journals')
    .set({ head: JSON.stringify(head) })
    .where('id', '=', id)
    .execute()
}

export async function writeRun(db: Kysely<Database>, id: string, run: Run): Promise<void> {
  await db
    .updateTable('journals')
    .set({ run: JSON.stringify(run) })
    .where('id', '=', id)
    .execute()
}
