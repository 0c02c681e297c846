/**
 * The index of the journal of a running gateway. It is built from what the journal writes, as that is in memory anyway, and from its files
 * for what was written before. It serves searches only: nothing waits for it, and a fault of it is a fault of searches.
 */
import { isRecord } from '../format.ts'
import type { DurableBlock, Journal } from '../journal.ts'
import { placeOf, type Place as Snapshot } from '../position.ts'
import { type Chunk, ChunkBuilder, type Place } from './chunk.ts'
import type { CaughtUp, Index } from './index-file.ts'
import { type Lookup, newestFirst } from './latest-events.ts'
import type { OtherJournal } from './other-journals.ts'
import type { FoundEvent, Search } from './search.ts'

export interface JournalIndexOptions {
  readonly journal: Pick<Journal, 'head' | 'position' | 'follow'>
  /** Called when the index is needed. */
  readonly open: () => Index
  /** Event sources of the APIs whose calls are counted. */
  readonly meteredSources: readonly string[]
  /** Those of the other processes of this machine. */
  readonly others?: readonly OtherJournal[]
  /** Told of each chunk that was indexed as it was written. */
  readonly indexed?: (chunk: Chunk) => void
  readonly report: Report
}

export interface Report {
  caughtUp(result: CaughtUp): void
  /** The index is tried again after a while. */
  failed(error: unknown): void
}

/** Where a journal ended when a search began, for its further pages. */
export type { Snapshot }

/** Milliseconds from the first block of a chunk to its end. */
const longestWait = 10_000
/** Milliseconds after a fault of the index. */
const retryInterval = 10_000
/** Chunks that wait to be written: some megabytes. Beyond, they are read from the journal again. */
const maximumWaiting = 256

export class JournalIndex {
  readonly #options: JournalIndexOptions
  /** Opened when it is needed: that takes processor time at each start of a gateway. */
  #index: Index | undefined
  /** Where the first chunk began that was built as it was written: up to there the index catches up. */
  #from!: Place & Snapshot
  /** Undefined while what the journal writes is left for the next catching up. */
  #builder: ChunkBuilder | undefined
  /** Resolves once all chunks so far are indexed. */
  #written: Promise<void> = Promise.resolve()
  #waiting = 0
  /** Whether it has caught up, and has no fault. */
  #isCurrent = false
  /** The end of the chunk that is being built, at the latest. */
  #due: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #closed = false
  /** By the UUID of the journal. */
  readonly #others = new Map<string, OtherJournal>()

  constructor(options: JournalIndexOptions) {
    this.#options = options
    this.#begin()
    options.journal.follow(block => this.#follow(block))
  }

  /** The ends of the journals of this machine: first that of this process. */
  async snapshot(): Promise<readonly Snapshot[]> {
    const { journal, segment, offset } = this.#end
    const own = { journal, segment, offset }
    const { others = [] } = this.#options
    if (others.length === 0) return [own]
    const index = this.#opened()
    const ends = await Promise.all(others.map(async other => [other, await index.endOf(other)] as const))
    for (const [other, end] of ends) if (end) this.#others.set(end.journal, other)
    return [own, ...ends.flatMap(([, end]) => end ?? [])]
  }

  /**
   * The newest wanted events of the machine first. Undefined while too much of its journals is not indexed. Rejects if they cannot be
   * searched.
   *
   * @param page `before`: of `snapshot`
   */
  async find(
    search: Search,
    { before, ...page }: Omit<Lookup, 'search' | 'before'> & { readonly before: readonly Snapshot[] },
  ): Promise<readonly FoundEvent[] | undefined> {
    const found = await Promise.all(before.map(place => this.#find({ search, ...page, before: place })))
    if (found.some(events => events === undefined)) return undefined
    const events = found.flatMap(events => events ?? [])
    return before.length === 1 ? events : events.sort(newestFirst).slice(0, page.limit)
  }

  #find(lookup: Lookup): Promise<readonly FoundEvent[] | undefined> {
    const index = this.#opened()
    if (lookup.before.journal !== this.#end.journal) return index.find(lookup, this.#others.get(lookup.before.journal))
    const found = index.find(lookup)
    found.catch((error: { readonly errcode?: unknown }) => {
      if (error.errcode !== undefined) this.#fault(error)
    })
    return found
  }

  /** Resolves to the index once it has all that is durable now. Rejects if it has a fault. */
  async flush(): Promise<Index> {
    const index = this.#opened()
    this.#endChunk()
    await this.#written
    return index
  }

  /** Does not wait until the index has caught up: that goes on in the next run. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    clearTimeout(this.#due)
    if (this.#isCurrent) await this.flush().catch(() => undefined)
    await this.#index?.close()
  }

  get #end(): Place & Snapshot {
    const { head, position } = this.#options.journal
    return { ...placeOf(position)!, hash: head.hash }
  }

  #begin(): void {
    this.#from = this.#end
    this.#builder = this.#newBuilder(this.#from.segment, this.#from.offset)
  }

  #opened(): Index {
    return this.#index ?? this.#catchUp()
  }

  /** Chunks of what is written meanwhile wait. */
  #catchUp(): Index {
    this.#index ??= this.#options.open()
    if (this.#builder === undefined) this.#begin()
    const { journal, ...to } = this.#from
    this.#written = this.#index.catchUp(journal, to).then(result => {
      this.#isCurrent = true
      this.#options.report.caughtUp(result)
    })
    this.#onFault()
    return this.#index
  }

  /** A call would fail if this threw. */
  #follow(block: DurableBlock): void {
    try {
      if (this.#builder !== undefined) this.#add(block, this.#builder)
    } catch (error) {
      this.#fault(error)
    }
  }

  #add({ head, lines, offset, length }: DurableBlock, builder: ChunkBuilder): void {
    if (builder.segment !== head.segment) {
      this.#endChunk()
      builder = this.#builder = this.#newBuilder(head.segment, offset)
    }
    this.#due ??= setTimeout(() => this.#endChunk(), longestWait).unref()
    for (const line of lines) if (isRecord(line)) builder.add(line)
    builder.extendTo(offset + length, head.hash)
    if (builder.isFull) this.#endChunk()
  }

  #newBuilder(segment: number, offset: number): ChunkBuilder {
    return new ChunkBuilder(segment, offset, this.#options.meteredSources)
  }

  #endChunk(): void {
    clearTimeout(this.#due)
    this.#due = undefined
    if (this.#builder === undefined || this.#builder.isEmpty) return
    const { indexed } = this.#options
    const index = this.#opened()
    const chunk = this.#builder.build()
    this.#builder = this.#newBuilder(chunk.segment, chunk.end)
    this.#waiting++
    this.#written = this.#written
      .then(() => index.add(chunk))
      .then(() => indexed?.(chunk))
      .finally(() => {
        this.#waiting--
      })
    if (this.#waiting >= maximumWaiting) {
      this.#builder = undefined
      this.#written = this.#written.then(() => {
        this.#catchUp()
        return this.#written
      })
    }
    this.#onFault()
  }

  /** All that wait for a chunk that failed fail, too. */
  #onFault(): void {
    const written = this.#written
    written.catch(error => {
      if (written === this.#written) this.#fault(error)
    })
  }

  /** Opens the index anew after a while: it may be damaged. */
  #fault(error: unknown): void {
    this.#builder = undefined
    this.#isCurrent = false
    this.#written = Promise.reject(error)
    this.#written.catch(() => undefined)
    if (this.#closed || this.#retry) return
    this.#options.report.failed(error)
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#catchUp()
    }, retryInterval).unref()
  }
}
