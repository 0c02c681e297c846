/** The last reading of the clock: one row, created by the migration. */
import type { Kysely } from 'kysely'
import type { ClockReading } from '../storage.ts'
import type { Database } from './database.ts'

export async function readClock(db: Kysely<Database>): Promise<ClockReading | undefined> {
  const { reading } = await db.selectFrom('clock').select('reading').executeTakeFirstOrThrow()
  return reading === null ? undefined : (JSON.parse(reading) as ClockReading)
}

export async function writeClock(db: Kysely<Database>, reading: ClockReading): Promise<void> {
  await db
    .updateTable('clock')
    .set({ reading: JSON.stringify(reading) })
    .execute()
}
