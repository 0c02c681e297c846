/** Where a segment ends, and whether its last blocks are a chain. */
import type { FileHandle } from 'node:fs/promises'
import { type Head, type Trailer, trailerMark, trailerOf } from './format.ts'
import { blocksOf, isSound } from './read.ts'
import { headerIn, longestLine, readBytes } from './segment-bytes.ts'

/** The end of the last block of a segment that is durable, as far as is known. */
export interface DurableEnd {
  /** Bytes of the segment up to there. */
  readonly size: number
  readonly head: Head
}

/** The end of the last whole block of a segment. */
export interface End extends DurableEnd {
  /** When the segment began: milliseconds since the epoch. */
  readonly begun: number
}

/** Bytes that are read at once. */
const step = 1024 * 1024

const checkpointMark = Buffer.from('\n{"checkpoint":{')

/** Undefined if the file has no header or no whole block. */
export async function endOf(file: FileHandle): Promise<End | undefined> {
  const header = await headerIn(file)
  const last = header && (await lastTrailer(file, (await file.stat()).size))
  if (header === undefined || last === undefined) return undefined
  const { number: block, record, hash } = last.trailer
  const head = { journal: header.journal, segment: header.number, block, record, hash }
  return { size: last.size, head, begun: Date.parse(header.time) }
}

/** A block that does not continue those before it. */
export interface Break {
  /** Number of the last block that does. */
  readonly after: number
  /** Where the next one begins in the segment, in bytes. */
  readonly offset: number
}

/**
 * Checks the blocks since the last checkpoint, or since the beginning of the segment. Undefined if all are whole and chained.
 *
 * @param path of the same file
 */
export async function firstBreak(path: string, file: FileHandle, { size, head }: End): Promise<Break | undefined> {
  let start = await startOfLastCheckpoint(file, size)
  let previous: Trailer | undefined
  try {
    for await (const block of blocksOf(path, start, size)) {
      const { number, previous: hash } = block.trailer
      const isNext = previous === undefined || (number === previous.number + 1 && hash === previous.hash)
      if (!isNext || !isSound(block)) return { after: previous?.number ?? number - 1, offset: block.offset }
      previous = block.trailer
      start = block.offset + block.bytes.length
    }
  } catch (error) {
    if (error instanceof Error && 'errno' in error) throw error
    return { after: previous?.number ?? head.block - 1, offset: start }
  }
  return undefined
}

async function startOfLastCheckpoint(file: FileHandle, size: number): Promise<number> {
  const at = await findLast(file, checkpointMark, size, (_, at) => at)
  return at === undefined ? 0 : ((await lastTrailer(file, at + 1))?.size ?? 0)
}

/** The last whole trailer before an offset, and the offset of its end. */
function lastTrailer(file: FileHandle, before: number): Promise<{ trailer: Trailer; size: number } | undefined> {
  return findLast(file, trailerMark, before, (text, at) => {
    const newline = text.indexOf(0x0a, 1)
    const trailer = newline < 0 ? undefined : trailerOf(text.toString('latin1', 1, newline))
    return trailer && { trailer, size: at + newline + 1 }
  })
}

/**
 * Looks for a mark from an offset towards the beginning.
 *
 * @param found given the text from a mark on, and its offset; undefined goes on
 */
async function findLast<T>(
  file: FileHandle,
  mark: Buffer,
  before: number,
  found: (text: Buffer, at: number) => T | undefined,
): Promise<T | undefined> {
  for (let end = before; end > 0; end -= step) {
    const start = Math.max(0, end - step)
    const bytes = await readBytes(file, start, Math.min(before, end + longestLine) - start)
    // Those that begin behind were found with the text behind.
    for (
      let at = bytes.lastIndexOf(mark, end - start - 1);
      at >= 0;
      at = at > 0 ? bytes.lastIndexOf(mark, at - 1) : -1
    ) {
      const result = found(bytes.subarray(at), start + at)
      if (result !== undefined) return result
    }
  }
  return undefined
}
