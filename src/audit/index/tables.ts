/** The tables of an index. It is never migrated: one of another version is built again. */
import type { Kysely } from 'kysely'
import type { ColumnTypes } from '../../storage/engines/engine.ts'
import type { IndexedAttribute } from './attributes.ts'
import { type Chunk, type Place, type Range, scopeText } from './chunk.ts'
import type { ChunkSearch } from './search.ts'
import { addUsage, createUsageTables, type UsageTables } from './usage-tables.ts'

/** To be raised with each change of the tables, or of what is in them. */
export const version = 1

export interface IndexTables extends UsageTables {
  readonly index_cursor: CursorRow
  readonly chunks: ChunkRow
  readonly terms: TermRow
}

/** One row: up to where the journal is indexed. */
interface CursorRow extends Place {
  readonly version: number
  /** UUID. */
  readonly journal: string
}

interface ChunkRow {
  /** In the order of the journal. */
  readonly id: number
  readonly segment: number
  readonly start_offset: number
  readonly end_offset: number
  /** Milliseconds since the epoch. */
  readonly first_time: number
  readonly last_time: number
  /** 1 if it has event IDs that are not of version 7, else 0. */
  readonly undated_ids: number
}

interface TermRow {
  readonly attribute: IndexedAttribute
  readonly value: string
  readonly scope: string
  /** Of the chunk: its terms are read from the latest one on. */
  readonly last_time: number
  readonly chunk: number
}

export async function createTables(db: Kysely<IndexTables>, { text }: ColumnTypes, journal: string): Promise<void> {
  await db.schema
    .createTable('index_cursor')
    .addColumn('version', 'integer', column => column.notNull())
    .addColumn('journal', text, column => column.notNull())
    .addColumn('segment', 'integer', column => column.notNull())
    .addColumn('offset', 'bigint', column => column.notNull())
    .addColumn('hash', text, column => column.notNull())
    .execute()
  await db.schema
    .createTable('chunks')
    .addColumn('id', 'integer', column => column.primaryKey())
    .addColumn('segment', 'integer', column => column.notNull())
    .addColumn('start_offset', 'bigint', column => column.notNull())
    .addColumn('end_offset', 'bigint', column => column.notNull())
    .addColumn('first_time', 'bigint', column => column.notNull())
    .addColumn('last_time', 'bigint', column => column.notNull())
    .addColumn('undated_ids', 'integer', column => column.notNull())
    .execute()
  await db.schema
    .createTable('terms')
    .addColumn('attribute', text, column => column.notNull())
    .addColumn('value', text, column => column.notNull())
    .addColumn('scope', text, column => column.notNull())
    .addColumn('last_time', 'bigint', column => column.notNull())
    .addColumn('chunk', 'integer', column => column.notNull())
    .addPrimaryKeyConstraint('terms_in_order', ['attribute', 'value', 'scope', 'last_time', 'chunk'])
    .execute()
  await createUsageTables(db, text)
  await db.insertInto('index_cursor').values({ version, journal, segment: 0, offset: 0, hash: '' }).execute()
}

export async function readCursor(db: Kysely<IndexTables>): Promise<CursorRow> {
  return db.selectFrom('index_cursor').selectAll().executeTakeFirstOrThrow()
}

/** Terms in a statement: SQLite takes 32,766 parameters. */
const batchSize = 1000

/** Adds the chunk that begins where the cursor is, and moves that to its end. Runs in a transaction of the caller. */
export async function addChunk(tx: Kysely<IndexTables>, chunk: Chunk): Promise<void> {
  const { segment, start, end, hash, usage } = chunk
  const cursor = await readCursor(tx)
  const follows = segment === cursor.segment ? start === cursor.offset : segment > cursor.segment && start === 0
  if (!follows) throw new Error(`a chunk at ${segment}:${start} does not follow ${cursor.segment}:${cursor.offset}`)
  await tx.updateTable('index_cursor').set({ segment, offset: end, hash }).execute()
  await addUsage(tx as unknown as Kysely<UsageTables>, usage)
  if (chunk.times) await insertChunk(tx, chunk, chunk.times)
}

type Times = NonNullable<Chunk['times']>

async function insertChunk(tx: Kysely<IndexTables>, chunk: Chunk, times: Times): Promise<void> {
  const { segment, start, end, undatedIds, terms } = chunk
  const { newest } = await tx
    .selectFrom('chunks')
    .select(({ fn }) => fn.max<number | null>('id').as('newest'))
    .executeTakeFirstOrThrow()
  const id = (newest ?? 0) + 1
  const row = { id, segment, start_offset: start, end_offset: end, undated_ids: Number(undatedIds) }
  await tx
    .insertInto('chunks')
    .values({ ...row, first_time: times.first, last_time: times.last })
    .execute()
  for (let from = 0; from < terms.length; from += batchSize) {
    const rows = terms.slice(from, from + batchSize).map(term => ({ ...term, last_time: times.last, chunk: id }))
    await tx.insertInto('terms').values(rows).execute()
  }
}

/** A chunk that may have wanted events. */
export interface FoundChunk extends Range {
  readonly id: number
  readonly last: number
}

/** Chunks that are read at a time. */
const pageSize = 32

/** Those that begin before a place of the journal, with the latest events first. */
export async function* latestChunks(
  db: Kysely<IndexTables>,
  search: ChunkSearch,
  before: Pick<Place, 'segment' | 'offset'>,
): AsyncGenerator<FoundChunk> {
  let after: FoundChunk | undefined
  for (;;) {
    const page: readonly FoundChunk[] = await db
      .selectFrom('terms')
      .innerJoin('chunks', 'chunks.id', 'terms.chunk')
      .select(['chunks.id', 'segment', 'start_offset as start', 'end_offset as end', 'terms.last_time as last'])
      .where('terms.attribute', '=', search.attribute)
      .where('terms.value', '=', search.value)
      .where('terms.scope', '=', scopeText(search.scope))
      .where('terms.last_time', '>=', search.from)
      .where('chunks.first_time', '<=', search.to)
      .$if(search.undatedIds, query => query.where('chunks.undated_ids', '=', 1))
      .where(({ eb, or, and }) =>
        or([
          eb('chunks.segment', '<', before.segment),
          and([eb('chunks.segment', '=', before.segment), eb('chunks.start_offset', '<', before.offset)]),
        ]),
      )
      .$if(after !== undefined, query =>
        query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('terms.last_time', 'terms.chunk'), '<', tuple(after!.last, after!.id)),
        ),
      )
      .orderBy('terms.last_time', 'desc')
      .orderBy('terms.chunk', 'desc')
      .limit(pageSize)
      .execute()
    yield* page
    if (page.length < pageSize) return
    after = page.at(-1)
  }
}
