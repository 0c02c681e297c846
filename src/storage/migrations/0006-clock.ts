/** What the clock said when it was last looked at, and how well it has kept step. */
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
