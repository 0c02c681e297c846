/**
 * The index of the journal of a running gateway. It is built from what the journal writes, as that is in memory anyway, and from its files
 * for what was written before. It serves searches only: nothing waits for it, and a fault of it is a fault of searches.
 */
import { isRecord } from '../format.ts'
import type { DurableBlock, Journal } from '../journal.ts'
import { placeOf, type Place as Snapshot } from '../position.ts'
import { type Chunk, ChunkBuilder, type Place } from './chunk.ts'
import type { CaughtUp, Index } from './index-file.ts'
import type { EventPosition } from './latest-events.ts'
import type { FoundEvent, Search } from './search.ts'

export interface JournalIndexOptions {
  readonly journal: Pick<Journal, 'head' | 'position' | 'follow'>
  /** Called when the index is needed. */
  readonly open: () => Index
  /** Of the API whose calls are counted. */
  readonly eventSource: string
  /** Told of each chunk that was indexed as it was written. */
  readonly indexed?: (chunk: Chunk) => void
  readonly report: Report
}

export interface Report {
  caughtUp(result: CaughtUp): void
  /** The index is tried again after a while. */
  failed(error: unknown): void
}

/** Where the journal ended when a search began, for its further pages. */
export type { Snapshot }

/** Milliseconds after a fault of the index. */
const retryInterval = 10_000
/** Chunks that wait to be written: some megabytes. Beyond, they are read from the journal again. */
const maximumWaiting = 256

export class JournalIndex {
  readonly #options: JournalIndexOptions
  #index: Index | undefined
  /** Undefined while what the journal writes is left for the next catching up. */
  #builder: ChunkBuilder | undefined
  /** Resolves once all chunks so far are indexed. */
  #written: Promise<void> = Promise.resolve()
  #waiting = 0
  /** Whether it has caught up, and has no fault. */
  #isCurrent = false
  #retry: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: JournalIndexOptions) {
    this.#options = options
  }

  /** Opens the index and keeps it current. Without it, the first search does. */
  start(): Index {
    if (this.#index) return this.#index
    this.#index = this.#options.open()
    this.#options.journal.follow(block => this.#follow(block))
    this.#catchUp()
    return this.#index
  }

  /** The end of the journal. */
  get snapshot(): Snapshot {
    const { journal, segment, offset } = this.#end
    return { journal, segment, offset }
  }

  /** The newest wanted events first. Undefined while too much of the journal is not indexed. Rejects if it cannot be searched. */
  find(
    search: Search,
    page: { readonly limit: number; readonly before: Snapshot; readonly after?: EventPosition | undefined },
  ): Promise<readonly FoundEvent[] | undefined> {
    const found = this.start().find({ search, ...page })
    found.catch((error: { readonly errcode?: unknown }) => {
      if (error.errcode !== undefined) this.#fault(error)
    })
    return found
  }

  /** Resolves once all that is durable now is indexed. Rejects if the index has a fault. */
  flush(): Promise<void> {
    this.start()
    this.endChunk()
    return this.#written
  }

  /** Does not wait until the index has caught up. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    if (this.#isCurrent) await this.flush().catch(() => undefined)
    await this.#index?.close()
  }

  get #end(): Place & Snapshot {
    const { head, position } = this.#options.journal
    return { ...placeOf(position)!, hash: head.hash }
  }

  /** Up to the end of the journal; chunks of what is written after it wait meanwhile. */
  #catchUp(): void {
    const { journal, ...end } = this.#end
    this.#builder = this.#newBuilder(end.segment, end.offset)
    this.#written = this.#index!.catchUp(journal, end).then(result => {
      this.#isCurrent = true
      this.#options.report.caughtUp(result)
    })
    this.#onFault()
  }

  #follow({ head, lines, offset, length }: DurableBlock): void {
    if (this.#builder === undefined) return
    if (this.#builder.segment !== head.segment) {
      this.endChunk()
      this.#builder = this.#newBuilder(head.segment, offset)
    }
    for (const line of lines) if (isRecord(line)) this.#builder.add(line)
    this.#builder.extendTo(offset + length, head.hash)
    if (this.#builder.isFull) this.endChunk()
  }

  #newBuilder(segment: number, offset: number): ChunkBuilder {
    return new ChunkBuilder(segment, offset, this.#options.eventSource)
  }

  /** Has the index take what was written since the last chunk. */
  endChunk(): void {
    if (this.#builder === undefined || this.#builder.isEmpty) return
    const { indexed } = this.#options
    const index = this.#index!
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
