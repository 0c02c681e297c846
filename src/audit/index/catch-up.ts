/** Builds the chunks of what is in the journal already. */
import type { FileHandle } from 'node:fs/promises'
import { blocksOf, linesOf } from '../read.ts'
import { type Chunk, ChunkBuilder, type Range } from './chunk.ts'
import { linesIn } from './ranges.ts'
import { recordIn } from './record-in.ts'

/**
 * The chunks of a range, which begins with a block. Rejects if it cannot be read.
 *
 * @param meteredSources event sources of the APIs whose calls are counted
 */
export async function* chunksIn(
  file: FileHandle,
  range: Range,
  meteredSources: readonly string[],
): AsyncGenerator<Chunk> {
  const { segment, start } = range
  let builder = new ChunkBuilder(segment, start, meteredSources)
  for await (const { lines, end, hash } of piecesOf(file, range)) {
    for (const line of lines) {
      const record = recordIn(line)
      if (record) builder.add(record)
    }
    builder.extendTo(end, hash)
    if (!builder.isFull) continue
    yield builder.build()
    builder = new ChunkBuilder(segment, end, meteredSources)
  }
  if (!builder.isEmpty) yield builder.build()
}

interface Piece {
  readonly lines: readonly string[]
  readonly end: number
  readonly hash: string
}

/** Blocks; segment 0 has none. */
async function* piecesOf(file: FileHandle, { segment, start, end }: Range): AsyncGenerator<Piece> {
  if (segment === 0) {
    for await (const lines of linesIn(file, { start, end })) yield { ...lines, hash: '' }
    return
  }
  for await (const block of blocksOf(file, start, end)) {
    yield { lines: linesOf(block), end: block.offset + block.bytes.length, hash: block.trailer.hash }
  }
}
