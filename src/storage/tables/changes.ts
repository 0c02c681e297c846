/** Which event changed what, in the order of the commits. */
import type { Kysely } from 'kysely'
import type { ChangeRow, Database } from './database.ts'

/**
 * Takes `count` numbers and returns the first. The row stays locked until the transaction ends, so that numbers become
 * visible in their order even when several gateways commit at once; a database's own sequences do not promise that.
 */
export async function takeSequence(db: Kysely<Database>, count: number): Promise<number> {
  const { value } = await db
    .updateTable('sequences')
    .set(row => ({ value: row('value', '+', count) }))
    .where('name', '=', 'changes')
    .returning('value')
    .executeTakeFirstOrThrow()
  return value - count + 1
}

export async function recordChanges(db: Kysely<Database>, rows: readonly Omit<ChangeRow, 'sequence'>[]): Promise<void> {
  const first = await takeSequence(db, rows.length)
  await db
    .insertInto('changes')
    .values(rows.map((row, index) => ({ sequence: first + index, ...row })))
    .execute()
}
