/** The journals of the other gateway processes of a machine: each process writes the index of its own, and reads those of the others. */
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely } from 'kysely'
import { sqlite } from '../../storage/engines/sqlite.ts'
import { type Place, placeOf, positionOf } from '../position.ts'
import { ifThere } from '../segment-bytes.ts'
import { endOf } from '../tail.ts'
import { createTables, type IndexTables, readCursor, version } from './tables.ts'

export interface OtherJournal {
  /** Of the segment that is written. */
  readonly active: string
  /** Of its index. */
  readonly path: string
}

/** Times, and milliseconds between them: the file has no name for a moment while it gets its number. */
const [attempts, pause] = [3, 20]

/** Where the journal ends. Undefined if there is none: the process has never run. */
export async function endOfOther({ active }: OtherJournal): Promise<Place | undefined> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    await using file = await ifThere(open(active))
    const end = file && (await endOf(file))
    if (end) return placeOf(positionOf(end))
    await sleep(pause)
  }
  return undefined
}

/** Reads the index of another process; an empty one if there is none yet of that journal. @param journal UUID; default: any */
export async function readIndex<T>(
  { path }: OtherJournal,
  journal: string | undefined,
  read: (db: Kysely<IndexTables>) => Promise<T>,
): Promise<T> {
  const found = existsSync(path) ? connect(path) : undefined
  try {
    if (found && (await isUsable(found, journal))) return await read(found)
  } finally {
    await found?.destroy()
  }
  const empty = connect(':memory:')
  try {
    await createTables(empty, sqlite(':memory:').types, journal ?? '')
    return await read(empty)
  } finally {
    await empty.destroy()
  }
}

function connect(path: string): Kysely<IndexTables> {
  return new Kysely<IndexTables>({ dialect: sqlite(path, { shared: true }).dialect })
}

async function isUsable(db: Kysely<IndexTables>, journal: string | undefined): Promise<boolean> {
  const tables = await db.introspection.getTables()
  if (!tables.some(({ name }) => name === 'index_cursor')) return false
  const cursor = await readCursor(db)
  return cursor.version === version && (journal === undefined || cursor.journal === journal)
}
