/** Audit records, kept with their changes until a journal has them. */
import type { Kysely } from 'kysely'
import type { HeldRecord, KeptRecord } from '../storage.ts'
import type { Database } from './database.ts'
import { batches } from './table.ts'

/** SQLite allows 32,766 parameters (sqlite.org/limits.html, 9), PostgreSQL 65,535. */
const batch = 10_000

/** @param number of the commit, if it is the record of the event that caused it */
export async function holdRecord(
  db: Kysely<Database>,
  { eventId, position, record }: HeldRecord,
  number: number | undefined,
): Promise<void> {
  await db
    .insertInto('outbox')
    .values({ event_id: eventId, position, record, change_number: number ?? null })
    .execute()
}

export async function heldRecords(db: Kysely<Database>): Promise<KeptRecord[]> {
  const rows = await db
    .selectFrom('outbox')
    .leftJoin('taken_records', 'taken_records.event_id', 'outbox.event_id')
    .select(['outbox.event_id', 'position', 'record', 'change_number', 'origin'])
    .execute()
  return rows.map(({ event_id, position, record, change_number, origin }) => ({
    eventId: event_id,
    position,
    record,
    ...(change_number !== null && { number: change_number }),
    ...(origin !== null && { origin }),
  }))
}

export async function removeRecords(db: Kysely<Database>, eventIds: readonly string[]): Promise<void> {
  for (const ids of batches(eventIds, batch)) await db.deleteFrom('outbox').where('event_id', 'in', ids).execute()
}

/**
 * Runs in a transaction of the caller. Records that another journal took over meanwhile are left to it: the row is a new one then.
 *
 * @param position in the journal that gets them
 */
export async function takeOver(db: Kysely<Database>, eventIds: readonly string[], position: string): Promise<string[]> {
  const taken: string[] = []
  for (const ids of batches(eventIds, batch)) {
    const rows = await db.deleteFrom('outbox').where('event_id', 'in', ids).returningAll().execute()
    for (const row of rows) {
      await db
        .insertInto('outbox')
        .values({ ...row, position })
        .execute()
      await db
        .insertInto('taken_records')
        .values({ event_id: row.event_id, origin: journalOf(row.position) })
        // The first one may have it, too.
        .onConflict(conflict => conflict.column('event_id').doNothing())
        .execute()
      taken.push(row.event_id)
    }
  }
  return taken
}

/** Event IDs of records that were held for a journal, and taken over from it. */
export async function takenFrom(db: Kysely<Database>, journal: string): Promise<string[]> {
  const rows = await db.selectFrom('taken_records').select('event_id').where('origin', '=', journal).execute()
  return rows.map(({ event_id }) => event_id)
}

/** UUID. */
function journalOf(position: string): string {
  return position.split(':')[0]!
}
