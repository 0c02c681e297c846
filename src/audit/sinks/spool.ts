/** Reads from the journal what a sink has not got yet. The segments are the spool: nothing is copied. */
import type { FileHandle } from 'node:fs/promises'
import type { Line } from '../format.ts'
import { isRecordLine } from '../format.ts'
import { isAfter } from '../position.ts'
import { blocksOf, linesOf, type ReadBlock } from '../read.ts'
import { hasBlockEnd } from '../segment-bytes.ts'
import { fullSegments, openSegment } from '../segments.ts'
import type { BlockEnd } from './messages.ts'
import type { Item } from './sink.ts'

export interface Batch {
  readonly items: readonly Item[]
  /** Where the next one begins. */
  readonly end: BlockEnd
  /** Sentences about what is missing in the journal. */
  readonly gaps: readonly string[]
}

export interface SpoolOptions {
  /** Path of the segment that is being written. */
  readonly journal: string
  /** Whether audit records are wanted; checkpoints and signing keys always are. */
  readonly records: boolean
  /** Bytes of lines of a batch; a few more are possible. */
  readonly batchSize: number
}

/** Bytes of the journal that are read for a batch. */
const mostRead = 64 * 1024 * 1024

interface Found {
  readonly items: Item[]
  readonly gaps: string[]
  /** Of the items, and of all blocks that were read. */
  bytes: number
  read: number
}

export class Spool {
  readonly #options: SpoolOptions

  constructor(options: SpoolOptions) {
    this.#options = options
  }

  /** Where a new sink begins: with the oldest segment that is there. */
  async beginning(durable: BlockEnd): Promise<BlockEnd> {
    const first = (await fullSegments(this.#options.journal)).find(({ number }) => number > 0)
    return startOf(first?.number ?? durable.segment, durable)
  }

  /**
   * Where a sink goes on that has got everything up to a place: there, or earlier if the journal is not the one that it was, as after it was
   * restored from a copy.
   */
  async resumption(
    place: BlockEnd,
    durable: BlockEnd,
  ): Promise<{ readonly place: BlockEnd; readonly gaps: readonly string[] }> {
    if (place.journal !== durable.journal)
      return { place: await this.beginning(durable), gaps: ['the journal is another one than before'] }
    if (!isAfter(place, durable) && (await this.#isAt(place))) return { place, gaps: [] }
    const gap = `the journal does not have block ${place.block} any more, which was delivered: it was changed, or restored from a copy`
    return { place: startOf(Math.min(place.segment, durable.segment), durable), gaps: [gap] }
  }

  /** Whether a block with the hash ends there; a segment that is missing is found when it is read. */
  async #isAt({ segment, offset, hash }: BlockEnd): Promise<boolean> {
    if (offset === 0) return true
    const file = await openSegment(this.#options.journal, segment)
    if (file === undefined) return true
    try {
      return await hasBlockEnd(file, offset, hash)
    } finally {
      await file.close()
    }
  }

  /** The lines after a place, some of them if there are many. Rejects if the journal cannot be read now. */
  async next(from: BlockEnd, durable: BlockEnd): Promise<Batch> {
    const found: Found = { items: [], gaps: [], bytes: 0, read: 0 }
    let place = from
    while (isAfter(durable, place)) {
      const file = await openSegment(this.#options.journal, place.segment)
      if (file === undefined) {
        place = await this.#afterMissing(place, durable, found.gaps)
        continue
      }
      try {
        place = await this.#readFile(file, place, durable, found)
      } finally {
        await file.close()
      }
      if (this.#isEnough(found)) break
    }
    return { items: found.items, end: place, gaps: found.gaps }
  }

  async #afterMissing(place: BlockEnd, durable: BlockEnd, gaps: string[]): Promise<BlockEnd> {
    const present = await fullSegments(this.#options.journal)
    const next = present.find(({ number }) => number > place.segment)?.number ?? durable.segment
    // Only the segment that is written can be missing with that number: the journal has been moved away, and will be missed by the gateway.
    if (next === place.segment) throw new Error(`segment ${place.segment} of the journal is missing`)
    const missing = next - place.segment === 1 ? `segment ${place.segment}` : `segments ${place.segment} to ${next - 1}`
    gaps.push(`${missing} of the journal: the file is missing, and was not delivered whole`)
    return { ...place, segment: next, offset: 0 }
  }

  #isEnough({ bytes, read }: Found): boolean {
    return bytes >= this.#options.batchSize || read >= mostRead
  }

  async #readFile(file: FileHandle, from: BlockEnd, durable: BlockEnd, found: Found): Promise<BlockEnd> {
    const isLast = from.segment === durable.segment
    const end = isLast ? durable.offset : (await file.stat()).size
    let place = from
    try {
      for await (const block of blocksOf(file, place.offset, end)) {
        const { number, record, hash } = block.trailer
        for (const item of this.#itemsOf(block, found.gaps)) {
          found.items.push(item)
          found.bytes += item.text.length
        }
        place = { ...place, block: number, record, hash, offset: block.offset + block.bytes.length }
        found.read += block.bytes.length
        if (this.#isEnough(found) && place.offset < end) return place
      }
    } catch (error) {
      // A file that cannot be read is tried again; what is in it stays as it is.
      if (error instanceof Error && 'code' in error) throw error
    }
    if (place.offset < end)
      found.gaps.push(`segment ${place.segment} of the journal is damaged after byte ${place.offset}`)
    return isLast ? durable : { ...place, segment: place.segment + 1, offset: 0 }
  }

  *#itemsOf(block: ReadBlock, gaps: string[]): Generator<Item> {
    const { records } = this.#options
    // Spares most of the work where records are not wanted.
    if (!records && !block.bytes.includes('{"checkpoint":') && !block.bytes.includes('{"signingKey":')) return
    for (const text of linesOf(block)) {
      const isWanted = /^\{"(?:checkpoint|signingKey)":/.test(text) || (records && isRecordLine(text))
      if (!isWanted) continue
      try {
        yield { text, line: JSON.parse(text) as Line }
      } catch {
        gaps.push(`a line in block ${block.trailer.number} of the journal is damaged`)
      }
    }
  }
}

function startOf(segment: number, { journal }: BlockEnd): BlockEnd {
  return { journal, segment, offset: 0, block: 0, record: 0, hash: '' }
}
