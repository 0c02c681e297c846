/** Reads the blocks of an audit journal, also while a gateway writes it. */
import { createReadStream } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { hashOf, isRecordLine, largestBlock, type Trailer, trailerMark, trailerOf } from './format.ts'

/** A whole block of a segment. Neither its hash nor its lines have been checked. */
export interface ReadBlock {
  /** Where it begins in its segment, in bytes. */
  readonly offset: number
  readonly bytes: Buffer
  readonly trailer: Trailer
}

/**
 * The whole blocks of a segment, some megabytes at a time in memory. Ends before an incomplete one at the end. Rejects if the file cannot be
 * read, or has no block within 64 MiB.
 *
 * @param file its path, or the open file, which stays open
 * @param start where a block begins, in bytes
 * @param end bytes of the file that are durable; default: all
 */
export async function* blocksOf(
  file: string | FileHandle,
  start = 0,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<ReadBlock> {
  if (start >= end) return
  let rest: Buffer = Buffer.alloc(0)
  let offset = start
  const range = { start, ...(Number.isFinite(end) && { end: end - 1 }), highWaterMark: 1024 * 1024 }
  const stream =
    typeof file === 'string' ? createReadStream(file, range) : file.createReadStream({ ...range, autoClose: false })
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    let begin = 0
    // A mark may be cut at the end of what was read before, its line anywhere.
    let from = Math.max(0, rest.lastIndexOf(0x0a))
    for (;;) {
      const mark = bytes.indexOf(trailerMark, from)
      const newline = mark < 0 ? -1 : bytes.indexOf(0x0a, mark + 1)
      if (newline < 0) break
      from = newline
      const trailer = trailerOf(bytes.toString('latin1', mark + 1, newline))
      if (trailer === undefined) continue
      yield { offset: offset + begin, bytes: bytes.subarray(begin, newline + 1), trailer }
      begin = newline + 1
    }
    offset += begin
    rest = bytes.subarray(begin)
    if (rest.length > largestBlock)
      throw new Error(`no end of a block within ${largestBlock} bytes after byte ${offset}`)
  }
}

/** Whether the bytes of a block are those of which its trailer has the hash. */
export function isSound({ bytes, trailer }: ReadBlock): boolean {
  return hashOf(bytes) === trailer.hash
}

/** Lines of a block, without its trailer. */
export function linesOf({ bytes }: ReadBlock): string[] {
  return bytes.toString('utf8', 0, bytes.lastIndexOf(trailerMark)).split('\n')
}

/** Its audit records, as JSON. */
export function recordsOf(block: ReadBlock): string[] {
  return linesOf(block).filter(isRecordLine)
}
