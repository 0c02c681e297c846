/** Operations of every table; the only place where revisions are checked. */
import type { Kysely } from 'kysely'
import type { Database } from './database.ts'

/** Records that are loaded at a time: all at once would take several times their memory. */
export interface LoadedPage {
  readonly offset: number
  readonly limit: number
}

/** The table of one noun. Everything but `load` runs in a transaction of the caller. */
export interface Table<R> {
  /** Identifies the record within its noun. */
  identity(record: R): string
  /** In a fixed order. */
  load(db: Kysely<Database>, page: LoadedPage): Promise<R[]>
  /** False, having written nothing, if the record already exists. */
  insert(db: Kysely<Database>, record: R): Promise<boolean>
  /** Replaces the record whose revision is one less. False, having written nothing, if there is none. */
  update(db: Kysely<Database>, record: R): Promise<boolean>
  /** Removes the record at its revision. False, having written nothing, if there is none. */
  remove(db: Kysely<Database>, record: R): Promise<boolean>
}

/** Rows per statement: SQLite takes 32,766 parameters. */
const batchSize = 1000

/** For statements of several rows, each as fast as hundreds of one. */
export function* batches<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < rows.length; start += batchSize) yield rows.slice(start, start + batchSize)
}

type Rows = Kysely<Record<string, Record<string, unknown>>>

/** A table with one row per record. */
export function table<R, Row extends { readonly revision: number }>(declaration: {
  readonly name: keyof Database
  readonly primaryKey: readonly (keyof Row & string)[]
  identity(record: R): string
  toRow(record: R): Row
  fromRow(row: Row): R
}): Table<R> {
  const { name, primaryKey, identity, toRow, fromRow } = declaration
  const at = (row: Row, revision: number) => ({
    ...Object.fromEntries(primaryKey.map(column => [column, row[column]])),
    revision,
  })
  return {
    identity,
    async load(db, { offset, limit }) {
      const all = (db as unknown as Rows).selectFrom(name).selectAll()
      const ordered = primaryKey.reduce((query, column) => query.orderBy(column), all)
      const rows = await ordered.limit(limit).offset(offset).execute()
      return rows.map(row => fromRow(row as unknown as Row))
    },
    async insert(db, record) {
      const result = await (db as unknown as Rows)
        .insertInto(name)
        .values({ ...toRow(record) })
        .onConflict(conflict => conflict.doNothing())
        .executeTakeFirst()
      return result.numInsertedOrUpdatedRows === 1n
    },
    async update(db, record) {
      const row = toRow(record)
      const result = await (db as unknown as Rows)
        .updateTable(name)
        .set({ ...row })
        .where(where => where.and(at(row, row.revision - 1)))
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
    async remove(db, record) {
      const row = toRow(record)
      const result = await (db as unknown as Rows)
        .deleteFrom(name)
        .where(where => where.and(at(row, row.revision)))
        .executeTakeFirst()
      return result.numDeletedRows === 1n
    },
  }
}
