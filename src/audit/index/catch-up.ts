/** Builds the chunks of what is in the journal already. */
import type { FileHandle } from 'node:fs/promises'
import type { AuditRecord } from '../entry.ts'
import { isRecordLine } from '../format.ts'
import { blocksOf, linesOf } from '../read.ts'
import { type Chunk, ChunkBuilder, type Range } from './chunk.ts'
import { linesIn } from './ranges.ts'

/**
 * The chunks of a range, which begins with a block. Rejects if it cannot be read.
 *
 * @param eventSource of the API whose calls are counted
 */
export async function* chunksIn(file: FileHandle, range: Range, eventSource: string): AsyncGenerator<Chunk> {
  const { segment, start } = range
  let builder = new ChunkBuilder(segment, start, eventSource)
  for await (const { lines, end, hash } of piecesOf(file, range)) {
    for (const line of lines) addRecord(builder, line)
    builder.extendTo(end, hash)
    if (!builder.isFull) continue
    yield builder.build()
    builder = new ChunkBuilder(segment, end, eventSource)
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

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z$/

/** A damaged record is left out, so that it does not keep others from being found. */
function addRecord(builder: ChunkBuilder, line: string): void {
  if (!isRecordLine(line)) return
  try {
    const record = JSON.parse(line) as AuditRecord
    const { eventID, eventTime } = record
    if (isoTime.test(eventTime) && Date.parse(eventTime) >= 0 && typeof eventID === 'string') builder.add(record)
  } catch {
    // Not JSON, or not the members of a record.
  }
}
