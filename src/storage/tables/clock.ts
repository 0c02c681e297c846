/** The last reading of the clock: one row, created by the migration. */
import type { Kysely, RawBuilder } from 'kysely'
import type { ClockReading } from '../storage.ts'
import type { Database } from './database.ts'

export async function readClock(
  db: Kysely<Database>,
  clock: RawBuilder<number>,
): Promise<{ readonly reading: ClockReading | undefined; readonly now: number }> {
  const { reading, now } = await db
    .selectFrom('clock')
    .select(['reading', clock.as('now')])
    .executeTakeFirstOrThrow()
  return { reading: reading === null ? undefined : (JSON.parse(reading) as ClockReading), now }
}

export async function writeClock(db: Kysely<Database>, reading: ClockReading): Promise<void> {
  await db
    .updateTable('clock')
    .set({ reading: JSON.stringify(reading) })
    .execute()
}
