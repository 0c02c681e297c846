/** The last run of the gateway: one row, created by the migration. */
import type { Kysely } from 'kysely'
import type { Run } from '../storage.ts'
import type { Database } from './database.ts'

export async function readLastRun(db: Kysely<Database>): Promise<Run | undefined> {
  const { run } = await db.selectFrom('last_run').select('run').executeTakeFirstOrThrow()
  return run === null ? undefined : (JSON.parse(run) as Run)
}

export async function writeLastRun(db: Kysely<Database>, run: Run): Promise<void> {
  await db
    .updateTable('last_run')
    .set({ run: JSON.stringify(run) })
    .execute()
}
