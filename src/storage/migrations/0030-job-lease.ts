/**
 * Which gateway runs the jobs of the fleet; and by how much each gateway may be ahead of the stored counts of encryptions, which until now was
 * in usage_tracking.
 */
import { sql } from 'kysely'
import type { Migration } from './migration.ts'

export const jobLease: Migration = async (db, { text }) => {
  await db.schema
    .createTable('job_lease')
    .addColumn('fence', 'bigint', column => column.notNull())
    .addColumn('gateway', text)
    .execute()
  await sql`insert into job_lease (fence, gateway) values (0, null)`.execute(db)
  await db.schema
    .createTable('encryption_tracking')
    .addColumn('gateway', text, column => column.primaryKey())
    .addColumn('unwritten', 'bigint', column => column.notNull())
    .execute()
  // Of the last run of a former version, which had no name.
  await sql`insert into encryption_tracking (gateway, unwritten) select '', unwritten_encryptions from usage_tracking`.execute(
    db,
  )
}
