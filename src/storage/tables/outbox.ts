/** Audit records, kept with their changes until the journal has them. */
import type { Kysely } from 'kysely'
import type { HeldRecord } from '../storage.ts'
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

/** @param position of the journal, which has these records before it */
export async function removeRecords(
  db: Kysely<Database>,
  eventIds: readonly string[],
  position: string,
): Promise<void> {
  for (let done = 0; done < eventIds.length; done += batch) {
    await db
      .deleteFrom('outbox')
      .where('event_id', 'in', eventIds.slice(done, done + batch))
      .execute()
  }
  await db.updateTable('outbox_position').set({ position }).execute()
}

export async function readPosition(db: Kysely<Database>): Promise<string | undefined> {
  const { position } = await db.selectFrom('outbox_position').select('position').executeTakeFirstOrThrow()
  return position ?? undefined
}
