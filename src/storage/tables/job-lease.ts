/** The gateway that runs the jobs of the fleet. A fencing token keeps one that has lost the lease, and does not know it yet, from writing. */
import type { Kysely } from 'kysely'
import { Conflict } from '../storage.ts'
import { awaitCommits } from './changes.ts'
import type { Database } from './database.ts'

/** For a gateway that has just got the lock. From here on no commit with an older fence succeeds. Runs in a transaction of the caller. */
export async function nextFence(db: Kysely<Database>, gateway: string): Promise<number> {
  await awaitCommits(db)
  const { fence } = await db
    .updateTable('job_lease')
    .set(({ eb, lit }) => ({ fence: eb('fence', '+', lit(1)), gateway }))
    .returning('fence')
    .executeTakeFirstOrThrow()
  return fence
}

/** Throws Conflict. Runs in a transaction of the caller, after the lock of commits is taken. */
export async function checkFence(db: Kysely<Database>, fence: number): Promise<void> {
  const { fence: current } = await db.selectFrom('job_lease').select('fence').executeTakeFirstOrThrow()
  if (fence !== current) throw new Conflict('another gateway runs the jobs of the fleet now')
}
