import type { Kysely } from 'kysely'
import { isAfter, type Place } from '../position.ts'
import type { Range } from './chunk.ts'
import { inSegment, linesIn, rangesBetween } from './ranges.ts'
import { chunkSearchOf, type FoundEvent, matcherOf, type Search } from './search.ts'
import { type IndexTables, latestChunks, readCursor } from './tables.ts'

/** The place of an event in the order of events: by time, and by ID within a second. */
export interface EventPosition {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly id: string
}

export interface Lookup {
  readonly search: Search
  readonly limit: number
  /** Only what the journal had when it ended here, so that pages fit each other. */
  readonly before: Place
  /** The last event of the page before. */
  readonly after?: EventPosition | undefined
}

/** Bytes that are searched without the index: seconds of calls, while it is catching up. */
const maximumUnindexed = 64 * 1024 * 1024

/**
 * Wanted events, the newest first. Resolves to undefined if too much of the journal is not indexed. Rejects if index or journal cannot be
 * read.
 *
 * @param active path of the segment that is written
 */
export async function latestEvents(
  db: Kysely<IndexTables>,
  active: string,
  lookup: Lookup,
): Promise<readonly FoundEvent[] | undefined> {
  const cursor = await readCursor(db)
  const indexed = isAfter(cursor, lookup.before) ? lookup.before : cursor
  const unindexed = await rangesBetween(active, indexed, lookup.before)
  if (unindexed.reduce((sum, { start, end }) => sum + end - start, 0) > maximumUnindexed) return undefined
  const page = new Page(lookup)
  for (const range of unindexed) await page.read(active, range)
  for await (const chunk of latestChunks(db, chunkSearchOf(page.search), indexed)) {
    if (page.isFullAfter(chunk.last)) break
    const end = chunk.segment === indexed.segment ? Math.min(chunk.end, indexed.offset) : chunk.end
    await page.read(active, { ...chunk, end })
  }
  return page.events
}

/** The newest events of what has been read. */
class Page {
  readonly search: Search
  readonly #limit: number
  readonly #after: EventPosition | undefined
  readonly #matching: (line: string) => FoundEvent | undefined
  #events: FoundEvent[] = []

  constructor({ search, limit, after }: Lookup) {
    const to = Math.min(search.to ?? Number.POSITIVE_INFINITY, after?.time ?? Number.POSITIVE_INFINITY)
    this.search = { ...search, to: Number.isFinite(to) ? to : undefined }
    this.#limit = limit
    this.#after = after
    this.#matching = matcherOf(this.search)
  }

  get events(): readonly FoundEvent[] {
    return this.#events
  }

  /** Whether no event up to this time can be one of the page. */
  isFullAfter(time: number): boolean {
    const last = this.#events.at(-1)
    return last !== undefined && this.#events.length >= this.#limit && last.time > time
  }

  async read(active: string, range: Range): Promise<void> {
    await inSegment(active, range.segment, async file => {
      for await (const { lines } of linesIn(file, range)) this.#add(lines)
    })
  }

  #add(lines: readonly string[]): void {
    const found = lines.flatMap(line => this.#matching(line) ?? []).filter(event => this.#isNext(event))
    if (found.length > 0) this.#events = [...this.#events, ...found].sort(newestFirst).slice(0, this.#limit)
  }

  #isNext({ time, record: { eventID: id } }: FoundEvent): boolean {
    const after = this.#after
    return after === undefined || time < after.time || (time === after.time && id < after.id)
  }
}

export function newestFirst(one: FoundEvent, other: FoundEvent): number {
  const [id, otherId] = [one.record.eventID, other.record.eventID]
  return other.time - one.time || (id < otherId ? 1 : id > otherId ? -1 : 0)
}
