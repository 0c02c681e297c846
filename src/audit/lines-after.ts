/** What was appended to a journal after a position in it. */
import { open } from 'node:fs/promises'
import { type Line, lineOf, type SegmentHeader } from './format.ts'
import { isAfter, placeOf } from './position.ts'
import { blocksOf, linesOf } from './read.ts'
import { headerIn } from './segment-bytes.ts'
import { segmentFile } from './segments.ts'

/**
 * Resolves to the lines between two positions, over segments, without those that are damaged. Resolves to undefined if the journal does not have
 * the first one, or not all of its segments since are there.
 *
 * @param active path of the file that is written
 * @param end position of the journal
 */
export async function linesAfter(
  active: string,
  position: string,
  end: string,
): Promise<AsyncIterable<Line> | undefined> {
  const [from, to] = [placeOf(position), placeOf(end)]
  if (from === undefined || to === undefined || from.journal !== to.journal || isAfter(from, to)) return undefined
  const segments: { readonly file: string; readonly start: number; readonly end?: number }[] = []
  for (let number = from.segment; number <= to.segment; number++) {
    const isLast = number === to.segment
    const file = isLast ? active : segmentFile(active, number)
    const start = number === from.segment ? from.offset : 0
    const { header, size } = (await beginningOf(file)) ?? {}
    if (header?.journal !== from.journal || header.number !== number || start > size!) return undefined
    segments.push({ file, start, ...(isLast && { end: to.offset }) })
  }
  return (async function* () {
    for (const { file, start, end } of segments) {
      for await (const block of blocksOf(file, start, end)) yield* linesOf(block).flatMap(text => lineOf(text) ?? [])
    }
  })()
}

/** Undefined for a file that is not there, or cannot be read. */
async function beginningOf(file: string): Promise<{ header: SegmentHeader | undefined; size: number } | undefined> {
  try {
    await using opened = await open(file)
    return { header: await headerIn(opened), size: (await opened.stat()).size }
  } catch {
    return undefined
  }
}
