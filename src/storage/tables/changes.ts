/** Which event changed what, in the order of the commits. */
import type { Kysely } from 'kysely'
import type { Noun } from '../storage.ts'
import type { Database } from './database.ts'

export interface ChangeRow {
  readonly sequence: number
  /** Audit event id of the request that made the change. */
  readonly event_id: string
  readonly noun: Noun
  readonly record_key: string
}

export interface SequenceRow {
  readonly name: 'changes'
  /** The last number that was taken. */
  readonly value: number
}

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
