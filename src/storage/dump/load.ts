import type { Kysely } from 'kysely'
import { OperatorError } from '../../errors.ts'
import { batches } from '../tables/table.ts'
import {
  type AnyDatabase,
  type DumpEnd,
  dumpTable,
  fromJson,
  type Row,
  type Sums,
  type TableHead,
  type TableSum,
} from './dump.ts'

/**
 * Writes a dump into tables of its own schema that hold no rows but those of their migrations, reads each table again, and compares it with
 * the sum in the dump. Resolves to the sums. Throws OperatorError.
 *
 * @param db in a transaction
 * @param dump lines, some at a time
 */
export async function load(db: Kysely<AnyDatabase>, dump: AsyncIterable<readonly string[]>): Promise<Sums> {
  const sums = new Map<string, TableSum>()
  let head: TableHead | undefined
  let end: DumpEnd | undefined
  for await (const lines of dump) {
    let rows: Row[] = []
    for (const line of lines) {
      const parsed = JSON.parse(line) as TableHead | TableSum | DumpEnd | readonly unknown[]
      if (Array.isArray(parsed)) {
        rows.push(Object.fromEntries(head!.columns.map((column, index) => [column, fromJson(parsed[index])])))
      } else if ('table' in parsed) {
        head = parsed
        await db.deleteFrom(head.table).execute()
      } else if ('sha256' in parsed) {
        await insert(db, head!.table, rows)
        sums.set(head!.table, await verified(db, head!, parsed))
        rows = []
      } else {
        end = parsed as DumpEnd
      }
    }
    if (head) await insert(db, head.table, rows)
  }
  if (end?.tables !== sums.size) throw new OperatorError('the dump of the storage is not complete')
  return sums
}

async function insert(db: Kysely<AnyDatabase>, table: string, rows: readonly Row[]): Promise<void> {
  for (const batch of batches(rows)) await db.insertInto(table).values(batch).execute()
}

async function verified(db: Kysely<AnyDatabase>, { table, key }: TableHead, expected: TableSum): Promise<TableSum> {
  const written = dumpTable(db, table, key)
  let step = await written.next()
  while (!step.done) step = await written.next()
  const found = step.value
  if (found.sha256 === expected.sha256 && found.rows === expected.rows) return found
  throw new OperatorError(
    `table ${table} was not written as it was read: ${expected.rows} rows with the SHA-256 ${expected.sha256}, now ${found.rows} with ${found.sha256}`,
  )
}
