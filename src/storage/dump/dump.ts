/**
 * A storage as text, the same from every engine: for each table a line that names it, a line for each row in the order of its key, and a line
 * with their number and digest; at the end, the number of tables. Two storages with equal rows have equal dumps.
 */
import { createHash } from 'node:crypto'
import { type Kysely, type SqlBool, sql } from 'kysely'
import type { Database } from '../tables/database.ts'
import { dumpedTables } from './tables.ts'

type Value = string | number | Uint8Array | null
export type Row = Readonly<Record<string, Value>>
/** Of any schema: a dump of an older one is loaded before it is migrated. */
export type AnyDatabase = Record<string, Record<string, Value>>

/** The first line of a table. */
export interface TableHead {
  readonly table: string
  readonly key: readonly string[]
  /** Sorted; none for a table without rows. */
  readonly columns: readonly string[]
}

/** The last line of a table. */
export interface TableSum {
  readonly rows: number
  /** SHA-256 of the first line and the rows, each with its newline; hex. */
  readonly sha256: string
}

/** The last line of a dump. */
export interface DumpEnd {
  readonly tables: number
}

/** The sums of all tables, by name. */
export type Sums = ReadonlyMap<string, TableSum>

/** Rows that are in memory at once. */
const pageSize = 1000

/** Yields lines without their newlines, some at a time. @param db in a transaction with one snapshot */
export async function* dump(db: Kysely<Database>): AsyncGenerator<readonly string[]> {
  const tables = db as unknown as Kysely<AnyDatabase>
  for (const { name, key } of dumpedTables) yield* dumpTable(tables, name, key)
  yield [JSON.stringify({ tables: dumpedTables.length } satisfies DumpEnd)]
}

export async function* dumpTable(
  db: Kysely<AnyDatabase>,
  table: string,
  key: readonly string[],
): AsyncGenerator<readonly string[], TableSum> {
  const digest = createHash('sha256')
  const hashed = (lines: readonly string[]) => {
    for (const line of lines) digest.update(line).update('\n')
    return lines
  }
  let page = await readPage(db, table, key)
  const columns = Object.keys(page[0] ?? {}).sort()
  yield hashed([JSON.stringify({ table, key, columns } satisfies TableHead)])
  let rows = 0
  while (page.length > 0) {
    rows += page.length
    yield hashed(page.map(row => JSON.stringify(columns.map(column => toJson(row[column]!)))))
    page = page.length < pageSize ? [] : await readPage(db, table, key, page.at(-1))
  }
  const sum = { rows, sha256: digest.digest('hex') }
  yield [JSON.stringify(sum)]
  return sum
}

async function readPage(
  db: Kysely<AnyDatabase>,
  table: string,
  key: readonly string[],
  after?: Row,
): Promise<readonly Row[]> {
  const all = db.selectFrom(table).selectAll().limit(pageSize)
  if (key.length === 0) return all.execute()
  const columns = sql.join(key.map(column => sql.ref(column)))
  const following = after
    ? all.where(sql<SqlBool>`(${columns}) > (${sql.join(key.map(column => after[column]!))})`)
    : all
  return following.orderBy(columns).execute()
}

function toJson(value: Value): unknown {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new Error('a number is too large to be dumped')
  return value
}

export function fromJson(value: unknown): Value {
  if (typeof value !== 'object' || value === null) return value as Value
  return Buffer.from((value as { readonly base64: string }).base64, 'base64')
}
