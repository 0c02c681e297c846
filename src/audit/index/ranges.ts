/** Reads ranges of a journal, also while a gateway writes it. */
import type { FileHandle } from 'node:fs/promises'
import { fullSegments, openSegment } from '../segments.ts'
import type { Place, Range } from './chunk.ts'

/**
 * What lies between two places of a journal, in its order, without segments that are not there (any more).
 *
 * @param active path of the segment that is written
 */
export async function rangesBetween(
  active: string,
  from: Pick<Place, 'segment' | 'offset'>,
  to: Pick<Place, 'segment' | 'offset'>,
): Promise<readonly Range[]> {
  const full = await fullSegments(active)
  const numbers = full.map(({ number }) => number).filter(number => number >= from.segment && number < to.segment)
  const ranges: Range[] = []
  for (const segment of [...numbers, to.segment]) {
    const start = segment === from.segment ? from.offset : 0
    const end = segment === to.segment ? to.offset : await sizeOf(active, segment)
    if (end > start) ranges.push({ segment, start, end })
  }
  return ranges
}

async function sizeOf(active: string, segment: number): Promise<number> {
  const size = await inSegment(active, segment, async file => (await file.stat()).size)
  return size ?? 0
}

/** Resolves to undefined if there is no such segment. */
export async function inSegment<T>(
  active: string,
  segment: number,
  work: (file: FileHandle) => Promise<T>,
): Promise<T | undefined> {
  const file = await openSegment(active, segment)
  try {
    return file && (await work(file))
  } finally {
    await file?.close()
  }
}

/** Whole lines, about a megabyte at a time. */
export interface Lines {
  readonly lines: readonly string[]
  /** After the last one: bytes from the beginning of the segment. */
  readonly end: number
}

/** The lines of a range, which begins with one. */
export async function* linesIn(file: FileHandle, { start, end }: Pick<Range, 'start' | 'end'>): AsyncGenerator<Lines> {
  let rest: Buffer = Buffer.alloc(0)
  let offset = start
  const range = { start, end: end - 1, autoClose: false, highWaterMark: 1024 * 1024 }
  for await (const read of file.createReadStream(range) as AsyncIterable<Buffer>) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, read]) : read
    const length = bytes.lastIndexOf(0x0a) + 1
    rest = bytes.subarray(length)
    if (length === 0) continue
    offset += length
    yield { lines: bytes.toString('utf8', 0, length - 1).split('\n'), end: offset }
  }
}
