/** Finds the blocks in the bytes of a segment, whatever these are, in bounded memory. */
import { largestBlock, type Trailer, trailerMark, trailerOf } from '../format.ts'

/** Bytes up to the end of a trailer, from the end of the one before. */
export interface ScannedBlock {
  /** Where it begins in its segment, in bytes. */
  readonly offset: number
  readonly length: number
  /** Undefined if there are more than a block can have. Valid until more is scanned. */
  readonly bytes: Buffer | undefined
  readonly trailer: Trailer
}

/** Bytes of the longest trailer, with the newlines around it, and some more. */
const longestTrailer = 256

export class BlockScanner {
  /** Has the bytes after the last block, from `#begin` to `#end`. */
  #buffer: Buffer = Buffer.alloc(0)
  #begin = 0
  #end = 0
  /** Bytes after the last block that came before those in the buffer and are not kept. */
  #dropped = 0
  /** Where the last block ended. */
  #offset: number

  /** @param offset in the segment, of the first byte to scan; a block begins there */
  constructor(offset = 0) {
    this.#offset = offset
  }

  /** Where the bytes begin that are in no block yet. */
  get offset(): number {
    return this.#offset
  }

  /** How many bytes are in no block yet. */
  get incomplete(): number {
    return this.#dropped + this.#end - this.#begin
  }

  /** Takes the next bytes of the segment, and gives the blocks that end in them. */
  *scan(chunk: Uint8Array): Generator<ScannedBlock> {
    // A trailer may be cut at the end of the bytes before.
    let from = Math.max(0, this.#end - this.#begin - longestTrailer)
    this.#append(chunk)
    const bytes = this.#buffer.subarray(0, this.#end)
    for (;;) {
      const mark = bytes.indexOf(trailerMark, from)
      const end = mark < 0 ? -1 : bytes.indexOf(0x0a, mark + 1)
      if (end < 0) break
      from = end
      const trailer = end - mark < longestTrailer ? trailerOf(bytes.toString('latin1', mark + 1, end)) : undefined
      if (trailer) yield this.#take(end + 1, trailer)
    }
    if (this.incomplete > largestBlock) this.#drop()
  }

  #append(chunk: Uint8Array): void {
    const kept = this.#buffer.subarray(this.#begin, this.#end)
    const length = kept.length + chunk.length
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(2 * length)
    this.#buffer.set(kept)
    this.#buffer.set(chunk, kept.length)
    this.#begin = 0
    this.#end = length
  }

  #take(end: number, trailer: Trailer): ScannedBlock {
    const length = this.#dropped + end - this.#begin
    const bytes = this.#dropped > 0 ? undefined : this.#buffer.subarray(this.#begin, end)
    const block = { offset: this.#offset, length, bytes, trailer }
    this.#offset += length
    this.#dropped = 0
    this.#begin = end
    return block
  }

  /** Keeps what may be the beginning of a trailer. */
  #drop(): void {
    const begin = Math.max(this.#begin, this.#end - longestTrailer)
    this.#dropped += begin - this.#begin
    this.#begin = begin
  }
}
