/** The file of an index, and what is done with it. Arguments and results can be cloned, so it can be used in a thread of its own. */
import { renameSync, rmSync } from 'node:fs'
import { Kysely, sql } from 'kysely'
import type { DeletedKey } from '../../model/usage/deleted-key.ts'
import { type SqliteEngine, sqlite } from '../../storage/engines/sqlite.ts'
import { isAfter, type Place as Snapshot } from '../position.ts'
import { hasBlockEnd } from '../segment-bytes.ts'
import { chunksIn } from './catch-up.ts'
import type { Chunk, Place } from './chunk.ts'
import { type Lookup, latestEvents } from './latest-events.ts'
import { endOfOther, type OtherJournal, readIndex } from './other-journals.ts'
import { inSegment, rangesBetween } from './ranges.ts'
import type { FoundEvent } from './search.ts'
import { addChunk, createTables, type IndexTables, readCursor, version } from './tables.ts'
import { type Days, readCalls, readDeletions, readFirstDay } from './usage-tables.ts'

export interface IndexOptions {
  /** Of the index. */
  readonly path: string
  /** Of the segment of the journal that is written. */
  readonly active: string
  /** Event sources of the APIs whose calls are counted. */
  readonly meteredSources: readonly string[]
}

export interface CaughtUp {
  /** Why the file that was there could not be used. It lies beside the new one, with `.old` at the end of its name. */
  readonly setAside?: string | undefined
  /** Segments that could not be read. */
  readonly unreadable: readonly { readonly segment: number; readonly reason: string }[]
}

export interface Index {
  /** Opens the file, and indexes what is missing up to a place of the journal. Rejects if the index cannot be written. */
  catchUp(journal: string, to: Place): Promise<CaughtUp>
  /** In one transaction. Rejects if it is not the next one, or the index cannot be written. */
  add(chunk: Chunk): Promise<void>
  /**
   * The newest wanted events first. Undefined if too much of the journal is not indexed yet.
   *
   * @param other the journal of another process, as for the following
   */
  find(lookup: Lookup, other?: OtherJournal): Promise<readonly FoundEvent[] | undefined>
  /** Lists of Calls as JSON: one large message would hold up whoever reads it. */
  calls(days: Days, other?: OtherJournal): Promise<readonly string[]>
  /** The first day with calls, YYYY-MM-DD. */
  firstDay(other?: OtherJournal): Promise<string | undefined>
  deletedKeys(other?: OtherJournal): Promise<readonly DeletedKey[]>
  /** Where the journal of another process ends. Undefined if there is none. */
  endOf(other: OtherJournal): Promise<Snapshot | undefined>
  close(): Promise<void>
}

/** Rows. */
const pieceLength = 1000

/** The file is not an index of this journal. */
class Unusable extends Error {}

export class IndexFile implements Index {
  readonly #options: IndexOptions
  #engine: SqliteEngine | undefined
  #db: Kysely<IndexTables> | undefined
  #opening: Promise<unknown> = Promise.resolve()
  #closing = false
  /** Searches run one after another, so that they take the memory of one. */
  #searching: Promise<unknown> = Promise.resolve()

  constructor(options: IndexOptions) {
    this.#options = options
  }

  async catchUp(journal: string, to: Place): Promise<CaughtUp> {
    const opening = this.#open(journal, to)
    this.#opening = opening.catch(() => undefined)
    const setAside = await opening
    const { active, meteredSources } = this.#options
    const unreadable: { segment: number; reason: string }[] = []
    for (const range of await rangesBetween(active, await readCursor(this.#db!), to)) {
      try {
        await inSegment(active, range.segment, async file => {
          for await (const chunk of chunksIn(file, range, meteredSources)) await this.add(chunk)
        })
      } catch (error) {
        // Without the segment that is written no later chunk would follow.
        if (error instanceof WriteFailed || range.segment === to.segment) throw error
        unreadable.push({ segment: range.segment, reason: messageOf(error) })
      }
    }
    return { setAside, unreadable }
  }

  async add(chunk: Chunk): Promise<void> {
    try {
      if (this.#closing || !this.#db) throw new Error('the index is closed')
      this.#engine!.verify()
      await this.#db.transaction().execute(tx => addChunk(tx, chunk))
    } catch (error) {
      throw new WriteFailed(messageOf(error), { cause: error })
    }
  }

  find(lookup: Lookup, other?: OtherJournal): Promise<readonly FoundEvent[] | undefined> {
    const search = this.#searching.then(() => this.#find(lookup, other))
    this.#searching = search.catch(() => undefined)
    return search
  }

  async #find(lookup: Lookup, other: OtherJournal | undefined): Promise<readonly FoundEvent[] | undefined> {
    const { active } = other ?? this.#options
    return this.#read(other, db => latestEvents(db, active, lookup), lookup.before.journal)
  }

  endOf(other: OtherJournal): Promise<Snapshot | undefined> {
    return endOfOther(other)
  }

  async #read<T>(
    other: OtherJournal | undefined,
    read: (db: Kysely<IndexTables>) => Promise<T>,
    journal?: string,
  ): Promise<T> {
    return other ? readIndex(other, journal, read) : read(await this.#opened())
  }

  async calls(days: Days, other?: OtherJournal): Promise<readonly string[]> {
    const calls = await this.#read(other, db => readCalls(db, days))
    return Array.from({ length: Math.ceil(calls.length / pieceLength) }, (_, piece) =>
      JSON.stringify(calls.slice(piece * pieceLength, (piece + 1) * pieceLength)),
    )
  }

  firstDay(other?: OtherJournal): Promise<string | undefined> {
    return this.#read(other, readFirstDay)
  }

  deletedKeys(other?: OtherJournal): Promise<readonly DeletedKey[]> {
    return this.#read(other, readDeletions)
  }

  async #opened(): Promise<Kysely<IndexTables>> {
    await this.#opening
    if (this.#closing || !this.#db) throw new Error('the index is closed')
    return this.#db
  }

  async close(): Promise<void> {
    this.#closing = true
    await this.#opening
    await this.#searching
    await this.#disconnect()
  }

  /** Opens the file anew, as it may have been deleted or damaged. Returns why what was there could not be used. */
  async #open(journal: string, to: Place): Promise<string | undefined> {
    await this.#disconnect()
    const { path } = this.#options
    try {
      await this.#connect(journal, to)
      return undefined
    } catch (error) {
      await this.#disconnect()
      if (!(error instanceof Unusable) && !isDamage(error)) throw error
      setAside(path)
      await this.#connect(journal, to)
      return error instanceof Unusable ? error.message : 'it is damaged'
    }
  }

  async #connect(journal: string, to: Place): Promise<void> {
    this.#engine = sqlite(this.#options.path, { create: true, shared: true })
    const db = new Kysely<IndexTables>({ dialect: this.#engine.dialect })
    this.#db = db
    const tables = await db.introspection.getTables()
    if (tables.length === 0) {
      const { types } = this.#engine
      await db.transaction().execute(tx => createTables(tx, types, journal))
    } else {
      if (!tables.some(({ name }) => name === 'index_cursor')) throw new Unusable('it is another database')
      await this.#check(db, journal, to)
    }
    this.#engine.verify()
  }

  async #check(db: Kysely<IndexTables>, journal: string, to: Place): Promise<void> {
    const { rows } = await sql<{ quick_check: string }>`pragma quick_check(1)`.execute(db)
    if (rows[0]?.quick_check !== 'ok') throw new Unusable('it is damaged')
    const cursor = await readCursor(db)
    if (cursor.version !== version) throw new Unusable('it is of another version')
    if (cursor.journal !== journal) throw new Unusable('it is of another journal')
    if (isAfter(cursor, to) || !(await endsWith(this.#options.active, cursor)))
      throw new Unusable('it has records that the journal does not have')
  }

  async #disconnect(): Promise<void> {
    await this.#db?.destroy()
    this.#db = undefined
    this.#engine = undefined
  }
}

class WriteFailed extends Error {}

/** Whether the segment has, up to this place, what it had when it was indexed. True if it is not there any more. */
async function endsWith(active: string, { segment, offset, hash }: Place): Promise<boolean> {
  if (hash === '') return true
  return (await inSegment(active, segment, file => hasBlockEnd(file, offset, hash))) ?? true
}

/** By result code (sqlite.org/rescode.html): SQLITE_ERROR as tables have other columns, SQLITE_CORRUPT, SQLITE_NOTADB. */
function isDamage(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  return code === 1 || code === 11 || code === 26
}

function setAside(path: string): void {
  const old = `${path}.old`
  for (const end of ['', '-wal', '-shm']) rmSync(old + end, { force: true })
  renameSync(path, old)
  rmSync(`${path}-shm`, { force: true })
  try {
    renameSync(`${path}-wal`, `${old}-wal`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
