/** Calls and deletions of keys in the index. */
import { type CreateTableBuilder, type Expression, type Kysely, sql } from 'kysely'
import type { Calls } from '../../model/usage/calls.ts'
import type { DeletedKey, FormerKey } from '../../model/usage/deleted-key.ts'
import type { KeyDeletion } from './key-deletions.ts'
import type { CallCount, UsageRows } from './usage-counts.ts'

export interface UsageTables {
  readonly usage_calls: UsageCallsRow
  readonly key_deletions: KeyDeletionRow
}

interface UsageCallsRow {
  readonly day: string
  readonly account: string
  readonly key_arn: string
  readonly operation: string
  readonly pair_spec: string
  readonly error_code: string
  readonly calls: number
}

/** Times are milliseconds since the epoch. */
interface KeyDeletionRow {
  readonly key_arn: string
  readonly scheduled_at: number | null
  readonly deleted_at: number | null
  /** JSON; null while it is not deleted. */
  readonly key: string | null
}

const callColumns = ['day', 'account', 'key_arn', 'operation', 'pair_spec', 'error_code'] as const

/** @param text its column type: see ColumnTypes in storage/engines/engine.ts */
export async function createUsageTables(db: Kysely<UsageTables>, text: 'text' | Expression<unknown>): Promise<void> {
  await callColumns
    .reduce<CreateTableBuilder<string, string>>(
      (table, name) => table.addColumn(name, text, column => column.notNull()),
      db.schema.createTable('usage_calls'),
    )
    .addColumn('calls', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('usage_calls_key', [...callColumns])
    .execute()
  await db.schema
    .createTable('key_deletions')
    .addColumn('key_arn', text, column => column.primaryKey())
    .addColumn('scheduled_at', 'bigint')
    .addColumn('deleted_at', 'bigint')
    .addColumn('key', text)
    .execute()
}

/** Rows per statement: SQLite takes 32,766 parameters. */
const batchSize = 1000

/** Adds what was counted, in a transaction of the caller. */
export async function addUsage(tx: Kysely<UsageTables>, { calls, deletions }: UsageRows): Promise<void> {
  for (let start = 0; start < calls.length; start += batchSize) {
    const rows = calls.slice(start, start + batchSize).map(callsRow)
    await tx
      .insertInto('usage_calls')
      .values(rows)
      .onConflict(conflict =>
        conflict.columns([...callColumns]).doUpdateSet({ calls: sql<number>`usage_calls.calls + excluded.calls` }),
      )
      .execute()
  }
  for (const deletion of deletions) await addDeletion(tx, deletion)
}

function callsRow({ day, account, keyArn, operation, pairSpec, errorCode, calls }: CallCount): UsageCallsRow {
  return { day, account, key_arn: keyArn, operation, pair_spec: pairSpec, error_code: errorCode, calls }
}

async function addDeletion(tx: Kysely<UsageTables>, deletion: KeyDeletion): Promise<void> {
  const { keyArn: key_arn, time, kind, key } = deletion
  if (kind === 'cancelled') {
    await tx.deleteFrom('key_deletions').where('key_arn', '=', key_arn).execute()
    return
  }
  const known =
    kind === 'scheduled' ? { scheduled_at: time } : { deleted_at: time, key: key ? JSON.stringify(key) : null }
  await tx
    .insertInto('key_deletions')
    .values({ key_arn, scheduled_at: null, deleted_at: null, key: null, ...known })
    .onConflict(conflict => conflict.column('key_arn').doUpdateSet(known))
    .execute()
}

/** What is asked about. */
export interface Days {
  /** First and last one, YYYY-MM-DD. */
  readonly from: string
  readonly to: string
  /** That pays; default: all. */
  readonly account?: string | undefined
}

export async function readCalls(db: Kysely<UsageTables>, { from, to, account }: Days): Promise<readonly Calls[]> {
  let query = db.selectFrom('usage_calls').where('day', '>=', from).where('day', '<=', to)
  if (account !== undefined) query = query.where('account', '=', account)
  const rows = await query
    .select(['account', 'key_arn', 'operation', 'pair_spec', 'error_code'])
    .select(({ fn }) => fn.sum<number>('calls').as('calls'))
    .groupBy(['account', 'key_arn', 'operation', 'pair_spec', 'error_code'])
    .execute()
  return rows.map(({ account, key_arn, operation, pair_spec, error_code, calls }) => ({
    account,
    keyArn: key_arn,
    operation,
    pairSpec: pair_spec,
    errorCode: error_code,
    calls: Number(calls),
  }))
}

/** First day with calls; undefined if there are none. */
export async function readFirstDay(db: Kysely<UsageTables>): Promise<string | undefined> {
  const row = await db
    .selectFrom('usage_calls')
    .select(({ fn }) => fn.min('day').as('day'))
    .executeTakeFirst()
  return row?.day ?? undefined
}

export async function readDeletions(db: Kysely<UsageTables>): Promise<readonly DeletedKey[]> {
  const rows = await db.selectFrom('key_deletions').selectAll().execute()
  return rows.map(({ key_arn, scheduled_at, deleted_at, key }) => ({
    keyArn: key_arn,
    scheduledAt: scheduled_at ?? undefined,
    deletedAt: deleted_at ?? undefined,
    key: key === null ? undefined : (JSON.parse(key) as FormerKey),
  }))
}
