/** The last reading of the clock, and how stable it has been. */
import { sql } from 'kysely'
import type { Migration } from './migration.ts'

export const clock: Migration = async (db, { text }) => {
  await db.schema
    .createTable('clock')
    .addColumn('name', text, column => column.primaryKey())
    .addColumn('reading', text)
    .execute()
  await sql`insert into clock (name) values ('wall')`.execute(db)
}
