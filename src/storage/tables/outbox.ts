/** Audit records, kept with their changes until the journal has them. */
import type { Kysely } from 'kysely'
import type { HeldRecord, JournalPositions } from '../storage.ts'
import type { Database } from './database.ts'

export async function holdRecord(db: Kysely<Database>, { eventId, position, record }: HeldRecord): Promise<void> {
  await db.insertInto('outbox').values({ event_id: eventId, position, record }).execute()
}

export async function heldRecords(db: Kysely<Database>): Promise<HeldRecord[]> {
  const rows = await db.selectFrom('outbox').selectAll().execute()
  return rows.map(({ event_id, ...row }) => ({ eventId: event_id, ...row }))
}

/** SQLite allows 32,766 parameters (sqlite.org/limits.html, 9), PostgreSQL 65,535. */
const batch = 10_000

/** Both positions are text without spaces; a former version wrote only the first. */
export async function removeRecords(
  db: Kysely<Database>,
  eventIds: readonly string[],
  { end, earliest }: JournalPositions,
): Promise<void> {
  for (let done = 0; done < eventIds.length; done += batch) {
    await db
      .deleteFrom('outbox')
      .where('event_id', 'in', eventIds.slice(done, done + batch))
      .execute()
  }
  await db
    .updateTable('outbox_position')
    .set({ position: `${end} ${earliest}` })
    .execute()
}

export async function readPositions(db: Kysely<Database>): Promise<JournalPositions | undefined> {
  const { position } = await db.selectFrom('outbox_position').select('position').executeTakeFirstOrThrow()
  const [end, earliest = end] = position?.split(' ') ?? []
  return end === undefined ? undefined : { end, earliest: earliest! }
}
