/** The audit journal in a file. */
import { Failure } from '../errors.ts'
import type { SegmentFile } from './active-file.ts'
import { blockOf, fullBlock, type Head, headerBlock, isRecord, type Line } from './format.ts'
import type { DurableBlock, Follower, Journal } from './journal.ts'
import { positionOf } from './position.ts'
import type { End } from './tail.ts'
import { TimedOut, within } from './within.ts'

/** What a journal tells of itself. Nothing here may throw. */
export interface JournalObserver {
  /** A block is being written; the function that is returned is called when it is durable, or could not be written. */
  writing(): () => void
  /** Lines are rejected from now on. */
  failed(error: unknown): void
  /** Lines are accepted again. */
  recovered(): void
  /** The segment was removed or damaged; the next one has begun. */
  lost(loss: Loss): void
  /** The next segment has begun. */
  rotated(): void
  /** A full segment could not get its number; it is written on, and tried again later. */
  rotationFailed(error: unknown): void
}

export interface Loss {
  /** Number of the segment. */
  readonly segment: number
  readonly condition: 'removed' | 'damaged'
}

export interface JournalOptions {
  /** Name of the gateway. */
  readonly gateway?: string | undefined
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** When a segment is full: bytes, and milliseconds since it began. */
  readonly maxSize: number
  readonly maxAge: number
  /** Milliseconds after which lines that wait for the disk are rejected. */
  readonly writeTimeout: number
  readonly observer: JournalObserver
}

/** Milliseconds between attempts to end a full segment. */
const rotationPause = 60_000

/** Fills a block of the file system, to test for space. It is removed again, like any incomplete block. */
const blank = Buffer.alloc(4096, ' ')
const nothing = Buffer.alloc(0)

/** Lines that become durable together, as one block, and the promise of all their calls. */
class Batch {
  readonly lines: Line[] = []
  text = ''
  records = 0
  readonly durable = Promise.withResolvers<void>()
}

export class FileJournal implements Journal {
  #file: SegmentFile
  /** Of the last durable block. */
  #end: End
  readonly #options: JournalOptions
  /** Collect lines while the previous batch is being written. Bounded by the requests in flight, as each awaits its record. */
  readonly #waiting: Batch[] = []
  #writing: Promise<void> | undefined
  readonly #followers: Follower[] = []
  /** What a failed write may have left after the durable end. */
  #attempted: Uint8Array = nothing
  #failing = false
  /** Why every line is rejected at once: the disk does not answer, or the journal is closed. */
  #refusing: Error | undefined
  /** When the segment could not be ended: milliseconds since the epoch. */
  #triedAt = Number.NEGATIVE_INFINITY

  constructor(file: SegmentFile, end: End, options: JournalOptions) {
    this.#file = file
    this.#end = end
    this.#options = options
  }

  get head(): Head {
    return this.#end.head
  }

  get position(): string {
    return positionOf(this.#end)
  }

  get failing(): boolean {
    return this.#failing
  }

  follow(follower: Follower): void {
    this.#followers.push(follower)
  }

  async append(...lines: readonly Line[]): Promise<void> {
    const text = lines.map(line => `${JSON.stringify(line)}\n`).join('')
    let batch = this.#waiting.at(-1)
    if (batch === undefined || (batch.text.length > 0 && batch.text.length + text.length > fullBlock))
      batch = this.#newBatch()
    batch.text += text
    for (const line of lines) {
      batch.lines.push(line)
      if (isRecord(line)) batch.records++
    }
    return batch.durable.promise
  }

  async check(): Promise<void> {
    return (this.#waiting.at(-1) ?? this.#newBatch()).durable.promise
  }

  #newBatch(): Batch {
    if (this.#refusing) throw new Failure('Internal', '', { cause: this.#refusing })
    const batch = new Batch()
    this.#waiting.push(batch)
    this.#writing ??= this.#writeBatches()
    return batch
  }

  /** Ends once everything appended so far is durable or rejected, and what can be repaired is. Does not wait for a disk that has stalled. */
  async close(): Promise<void> {
    await this.check()
      .catch(() => this.check())
      .catch(() => undefined)
    const closed = this.#closed()
    if (!this.#refusing) await closed
    else closed.catch(() => undefined)
  }

  async #closed(): Promise<void> {
    await this.#writing
    this.#refusing = new Error('the audit journal is closed')
    this.#failing = true
    await this.#file.close(this.#end)
  }

  async #writeBatches(): Promise<void> {
    // Lets all calls of this turn of the event loop join the first batch.
    await new Promise(setImmediate)
    for (let batch = this.#waiting.shift(); batch !== undefined; batch = this.#waiting.shift()) {
      const written = this.#options.observer.writing()
      const writing = this.#write(batch)
      try {
        this.#accept(await within(writing, this.#options.writeTimeout), batch)
      } catch (error) {
        this.#reject(batch, error)
        if (error instanceof TimedOut) await this.#wait(writing, error)
      }
      written()
    }
    this.#writing = undefined
  }

  #accept(block: DurableBlock | undefined, { durable }: Batch): void {
    if (block) this.#advance(block)
    if (this.#failing) this.#options.observer.recovered()
    this.#failing = false
    durable.resolve()
  }

  #advance(block: DurableBlock): void {
    this.#end = { ...this.#end, size: block.offset + block.length, head: block.head }
    this.#attempted = nothing
    for (const follower of this.#followers) follower(block)
  }

  #reject({ durable }: Batch, error: unknown): void {
    if (!this.#failing) this.#options.observer.failed(error)
    this.#failing = true
    durable.reject(new Failure('Internal', '', { cause: error }))
  }

  /** Rejects everything until the disk answers. What it has written by then is removed: its lines were rejected. */
  async #wait(writing: Promise<unknown>, error: Error): Promise<void> {
    this.#refusing = error
    for (const batch of this.#waiting.splice(0)) this.#reject(batch, error)
    await writing.catch(() => undefined)
    this.#refusing = undefined
    this.check().catch(() => undefined)
  }

  /** Resolves to the block of the lines, once it is durable; undefined if there are none. */
  async #write({ text, records, lines }: Batch): Promise<DurableBlock | undefined> {
    if (this.#failing) await this.#recover()
    if (text === '') {
      await this.#extend(nothing)
      return undefined
    }
    if (this.#isFull()) await this.#rotate()
    const { bytes, head } = blockOf(text, records, this.head)
    await this.#extend(bytes)
    return { head, lines, offset: this.#end.size, length: bytes.length }
  }

  /**
   * Records written to a file that was deleted or moved would be lost, and a file that another process has changed may hold incomplete
   * records.
   */
  async #extend(bytes: Uint8Array): Promise<void> {
    this.#attempted = bytes
    try {
      await this.#writeAll(bytes)
      const size = bytes.length > 0 ? this.#file.writtenSize() : await this.#file.size()
      const expected = this.#end.size + bytes.length
      if (size !== expected) throw new Error(`another process changed the audit file: ${size} bytes, not ${expected}`)
    } catch (error) {
      await this.#file.repair(this.#end, bytes).catch(() => undefined)
      throw error
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length; ) offset += (await this.#file.write(bytes, offset)).bytesWritten
  }

  /** Repairs what can be, and tests that there is space, before a record depends on it. */
  async #recover(): Promise<void> {
    const condition = await this.#file.repair(this.#end, this.#attempted)
    const { segment } = this.head
    if (condition !== 'whole') await this.#succeed()
    if (condition === 'removed' || condition === 'damaged') this.#options.observer.lost({ segment, condition })
    await this.#extend(blank)
    await this.#file.repair(this.#end, blank)
  }

  #isFull(): boolean {
    const { size, begun } = this.#end
    const { clock, maxSize, maxAge } = this.#options
    const now = clock()
    // The clock may have been ahead when it began.
    return (size >= maxSize || Math.abs(now - begun) >= maxAge) && Math.abs(now - this.#triedAt) >= rotationPause
  }

  /** Rejects only if the segment cannot be written on. */
  async #rotate(): Promise<void> {
    try {
      await this.#succeed()
    } catch (error) {
      this.#triedAt = this.#options.clock()
      this.#options.observer.rotationFailed(error)
    }
  }

  async #succeed(): Promise<void> {
    const now = this.#options.clock()
    const { bytes, head } = headerBlock(this.head, { now, gateway: this.#options.gateway })
    this.#file = await this.#file.succeed(this.#end, bytes)
    this.#end = { size: 0, head: this.head, begun: now }
    this.#advance({ head, lines: [], offset: 0, length: bytes.length })
    this.#options.observer.rotated()
  }
}
