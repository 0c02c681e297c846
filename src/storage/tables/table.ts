/** Operations of every table; the only place where revisions are checked. */
import { type Kysely, sql } from 'kysely'
import type { Database } from './database.ts'

/** The values of the primary key, in the order of its columns. */
export type RecordKey = readonly (string | number)[]

/** Records that are loaded at a time: all at once would take several times their memory. */
export interface LoadedPage {
  /** The key of the last record before. A page that began at an offset would leave out records when others are removed meanwhile. */
  readonly after?: RecordKey | undefined
  readonly limit: number
}

/** The table of one noun. Everything but `load` runs in a transaction of the caller. */
export interface Table<R> {
  key(record: R): RecordKey
  /** In the order of their keys. */
  load(db: Kysely<Database>, page: LoadedPage): Promise<R[]>
  /** Those that exist, in no order. */
  find(db: Kysely<Database>, keys: readonly RecordKey[]): Promise<R[]>
  /** False, having written nothing, if the record already exists. */
  insert(db: Kysely<Database>, record: R): Promise<boolean>
  /** Replaces the record whose revision is one less. False, having written nothing, if there is none. */
  update(db: Kysely<Database>, record: R): Promise<boolean>
  /** Removes the record at its revision. False, having written nothing, if there is none. */
  remove(db: Kysely<Database>, record: R): Promise<boolean>
}

/** Rows per statement: SQLite takes 32,766 parameters. */
const batchSize = 1000
/** SQLite takes an expression of 1000 levels, and each key is one. */
const keysPerQuery = 500

/** For statements of several rows, each as fast as hundreds of one. */
export function* batches<T>(rows: readonly T[], size = batchSize): Generator<readonly T[]> {
  for (let start = 0; start < rows.length; start += size) yield rows.slice(start, start + size)
}

type Rows = Kysely<Record<string, Record<string, unknown>>>

/** A table with one row per record. */
export function table<R, Row extends { readonly revision: number }>(declaration: {
  readonly name: keyof Database
  readonly primaryKey: readonly (keyof Row & string)[]
  key(record: R): RecordKey
  toRow(record: R): Row
  fromRow(row: Row): R
}): Table<R> {
  const { name, primaryKey, key, toRow, fromRow } = declaration
  const columnsOf = (key: RecordKey) => Object.fromEntries(primaryKey.map((column, index) => [column, key[index]]))
  const at = (row: Row, revision: number) => ({
    ...Object.fromEntries(primaryKey.map(column => [column, row[column]])),
    revision,
  })
  return {
    key,
    async load(db, { after, limit }) {
      const all = (db as unknown as Rows).selectFrom(name).selectAll()
      const columns = sql.join(primaryKey.map(column => sql.ref(column)))
      const following = after ? all.where(sql<boolean>`(${columns}) > (${sql.join(after)})`) : all
      const rows = await following.orderBy(columns).limit(limit).execute()
      return rows.map(row => fromRow(row as unknown as Row))
    },
    async find(db, keys) {
      const found: R[] = []
      for (const batch of batches(keys, keysPerQuery)) {
        const rows = await (db as unknown as Rows)
          .selectFrom(name)
          .selectAll()
          .where(({ and, or }) => or(batch.map(key => and(columnsOf(key)))))
          .execute()
        found.push(...rows.map(row => fromRow(row as unknown as Row)))
      }
      return found
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
