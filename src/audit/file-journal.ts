/** The audit journal in a file. */
import { Failure } from '../errors.ts'
import { blockOf, fullBlock, type Head, isRecord, type Line } from './format.ts'
import type { Follower, Journal } from './journal.ts'

/** The part of a FileHandle, opened for appending, that the journal uses. */
export interface JournalFile {
  /** Appends the bytes from `offset` on, and resolves when they are durable; like write(2) it may write fewer. */
  write(bytes: Uint8Array, offset: number): Promise<{ readonly bytesWritten: number }>
  truncate(length: number): Promise<void>
  /**
   * Bytes of the file at the journal's path. Throws if that is another file, or none. Synchronous: right after a write the metadata is in
   * memory, while a second job for libuv's pool takes about as long as the write.
   */
  size(): number
  close(): Promise<void>
}

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
  readonly #file: JournalFile
  #head: Head
  /** Bytes of the file up to the end of its last block. */
  #size: number
  /** Collect lines while the previous batch is being written. Bounded by the requests in flight, as each awaits its record. */
  readonly #waiting: Batch[] = []
  #writing: Promise<void> | undefined
  readonly #followers: Follower[] = []
  /** A failed write may have left bytes after `#size`. */
  #torn = false
  #failing = false

  /** @param head of the last block of the file, which ends at `size` */
  constructor(file: JournalFile, size: number, head: Head) {
    this.#file = file
    this.#size = size
    this.#head = head
  }

  get head(): Head {
    return this.#head
  }

  get position(): string {
    return `${this.#head.journal}:${this.#head.segment}:${this.#size}`
  }

  get failing(): boolean {
    return this.#failing
  }

  follow(follower: Follower): void {
    this.#followers.push(follower)
  }

  async append(line: Line): Promise<void> {
    const text = `${JSON.stringify(line)}\n`
    let batch = this.#waiting.at(-1)
    if (batch === undefined || (batch.text.length > 0 && batch.text.length + text.length > fullBlock))
      batch = this.#newBatch()
    batch.lines.push(line)
    batch.text += text
    if (isRecord(line)) batch.records++
    return batch.durable.promise
  }

  check(): Promise<void> {
    return (this.#waiting.at(-1) ?? this.#newBatch()).durable.promise
  }

  #newBatch(): Batch {
    const batch = new Batch()
    this.#waiting.push(batch)
    this.#writing ??= this.#writeBatches()
    return batch
  }

  /** Ends once everything appended so far is durable or rejected. */
  async close(): Promise<void> {
    await this.#writing
    await this.#file.close()
  }

  async #writeBatches(): Promise<void> {
    // Lets all calls of this turn of the event loop join the first batch.
    await new Promise(setImmediate)
    for (let batch = this.#waiting.shift(); batch !== undefined; batch = this.#waiting.shift()) {
      try {
        await this.#writeBatch(batch)
        this.#failing = false
        batch.durable.resolve()
      } catch (error) {
        this.#failing = true
        batch.durable.reject(new Failure('Internal', '', { cause: error }))
      }
    }
    this.#writing = undefined
  }

  async #writeBatch({ text, records, lines }: Batch): Promise<void> {
    if (text === '') return this.#write(nothing)
    const { bytes, head } = blockOf(text, records, this.#head)
    await this.#write(bytes)
    this.#head = head
    const block = { head, lines, offset: this.#size - bytes.length, length: bytes.length }
    for (const follower of this.#followers) follower(block)
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      if (this.#torn) await this.#cut()
      if (this.#failing) await this.#try()
      await this.#extend(bytes)
      this.#size += bytes.length
    } catch (error) {
      // If this fails, too, the next batch tries again before it writes.
      if (this.#torn) await this.#cut().catch(() => undefined)
      throw error
    }
  }

  /** Tests that the file is in place and there is space, before a record depends on it. */
  async #try(): Promise<void> {
    await this.#extend(nothing)
    await this.#extend(blank)
    await this.#cut()
  }

  /**
   * Records written to a file that was deleted or moved would be lost, and a file that another process has changed may hold incomplete
   * records. Rejects until the file is in place again, or the gateway is restarted.
   */
  async #extend(bytes: Uint8Array): Promise<void> {
    this.#torn = bytes.length > 0
    for (let offset = 0; offset < bytes.length; ) offset += (await this.#file.write(bytes, offset)).bytesWritten
    const [size, expected] = [this.#file.size(), this.#size + bytes.length]
    this.#torn = false
    if (size !== expected)
      throw new Error(`another process changed the audit file: ${size} bytes instead of ${expected}`)
  }

  async #cut(): Promise<void> {
    // Truncating beyond the end would extend the file with zeros.
    if (this.#file.size() < this.#size) throw new Error('another process truncated the audit file')
    await this.#file.truncate(this.#size)
    this.#torn = false
  }
}
