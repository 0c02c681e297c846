/** Brings the files of a journal into the order of its segments. */
import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { hashOf, type SegmentHeader, segmentHeaderOf } from '../format.ts'
import { type Report, rangeText, shown } from './finding.ts'
import { BlockScanner } from './scan.ts'
import type { Source } from './source.ts'

export interface OrderedSegment {
  readonly source: Source
  /** From 1; 0: records of a former version, without blocks. */
  readonly number: number
  /** Whether segments before it are not there. */
  readonly jumps: boolean
}

interface Options {
  readonly journal?: string | undefined
  /** Number of the first segment that must be there; `any`: the first one there is. */
  readonly from?: number | 'any' | undefined
  readonly to?: number | undefined
  readonly report: Report
}

interface Candidate {
  readonly source: Source
  /** Undefined if it is changed. */
  readonly header: SegmentHeader | undefined
  /** By the header, otherwise by the name of the file; otherwise it is after all others. */
  readonly number: number
}

/** What is no segment of the journal, or missing, is reported. */
export async function orderedSegments(
  sources: readonly Source[],
  { journal: expectedJournal, from: begin = 1, to = Number.POSITIVE_INFINITY, report }: Options,
): Promise<{ readonly segments: OrderedSegment[]; readonly journal: string | undefined }> {
  const candidates: Candidate[] = []
  for (const source of sources) candidates.push(await candidateOf(source))
  candidates.sort((a, b) => a.number - b.number)
  const journal = expectedJournal ?? candidates.find(({ header }) => header)?.header?.journal
  const segments: OrderedSegment[] = []
  const first = candidates.find(({ number }) => number > 0 && Number.isFinite(number))?.number ?? 1
  const from = begin === 'any' ? first : begin
  let expected = from
  for (const { source, header, number: given } of candidates) {
    const number = Number.isFinite(given) ? given : expected
    const { file } = source
    const misplaced = (message: string) => report({ file, kind: 'misplaced', message })
    if (number === 0 && begin === 'any') segments.push({ source, number, jumps: false })
    if (number < from || number > to) continue
    if (header && header.journal !== journal) {
      misplaced(`it is segment ${shown(number)} of another journal, ${header.journal}`)
    } else if (number < expected) {
      misplaced(`it is segment ${shown(number)}, as is ${segments.at(-1)?.source.file}`)
    } else {
      if (header === undefined)
        report({ file, kind: 'changed', message: 'it does not begin with the header of a segment' })
      if (number > expected) report({ file, kind: 'missing', message: missingText(expected, number - 1) })
      segments.push({ source, number, jumps: number > expected || (number === from && from > 1) })
      expected = number + 1
    }
  }
  if (Number.isFinite(to) && expected <= to) {
    report({ file: segments.at(-1)?.source.file ?? '', kind: 'missing', message: missingText(expected, to) })
  }
  if (begin === 1) await checkFormer(candidates, report)
  return { segments, journal }
}

/** @param first number of the first segment that is missing */
export function missingText(first: number, last: number): string {
  return `${rangeText('segment', first, last)} ${first === last ? 'is' : 'are'} missing`
}

async function candidateOf(source: Source): Promise<Candidate> {
  const header = await headerOf(source)
  const named = /-(\d{8,15})\.[^-]*$/.exec(basename(source.file))?.[1]
  return { source, header, number: header?.number ?? (named === undefined ? Number.POSITIVE_INFINITY : Number(named)) }
}

/** Undefined if the segment does not begin with a whole one. */
export async function headerOf(source: Source): Promise<SegmentHeader | undefined> {
  const [first] = new BlockScanner().scan(await source.beginning())
  const isSound = first?.bytes && hashOf(first.bytes) === first.trailer.hash
  return isSound ? segmentHeaderOf(first.bytes.toString()) : undefined
}

/** The records of a version that knew no blocks are in a file of their own, whose hash is in the first header. */
async function checkFormer(candidates: readonly Candidate[], report: Report): Promise<void> {
  const first = candidates.find(({ header }) => header?.number === 1)
  const before = first?.header?.before
  let isFound = false
  for (const { source } of candidates.filter(({ number }) => number === 0)) {
    const { file } = source
    if (before === undefined || isFound) {
      report({ file, kind: 'misplaced', message: 'the journal does not have the hash of its records' })
      continue
    }
    isFound = true
    const { bytes, sha256 } = await digestOf(source)
    if (bytes === before.bytes && sha256 === before.sha256) continue
    const message = `it has ${shown(bytes)} bytes, which are not the ${shown(before.bytes)} of which segment 1 has the hash`
    report({ file, kind: 'changed', message })
  }
  if (first && before && !isFound) {
    report({
      file: first.source.file,
      kind: 'missing',
      message: `${before.file}, with the records before it, is missing`,
    })
  }
}

async function digestOf(source: Source): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const digest = createHash('sha256')
  let bytes = 0
  for await (const chunk of source.bytes()) {
    digest.update(chunk)
    bytes += chunk.length
  }
  return { bytes, sha256: digest.digest('hex') }
}
