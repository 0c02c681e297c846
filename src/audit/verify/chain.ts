/** Follows the hash chain of a journal, block by block, and past each fault as far as possible. */
import { hashOf, noHash, type Trailer } from '../format.ts'
import { countText, type Report, rangeText, shown } from './finding.ts'
import { type BlockLines, linesIn } from './lines.ts'
import type { ScannedBlock } from './scan.ts'

/** Blocks in which each follows from the one before. */
export interface Run {
  readonly firstBlock: number
  /** Number of the last record before them. */
  readonly recordsBefore: number
  last: Trailer
  /** The last of its blocks that is signed, and when. */
  signed?: { readonly block: number; readonly record: number; readonly time: string }
}

/** A block that is where it may be, and whose hash is right. */
export interface ChainedBlock {
  readonly trailer: Trailer
  readonly lines: BlockLines
}

const beginning: Trailer = { number: 0, record: 0, previous: '', hash: noHash }

export class Chain {
  /** The first one begins the journal. */
  readonly runs: Run[] = [{ firstBlock: 1, recordsBefore: 0, last: beginning }]
  readonly #report: Report
  #current = this.runs[0]!
  #file = ''
  /** Of the segment before. */
  #formerFile: string | undefined
  #segment = 0
  /** The blocks that come next are not known: those of a segment that is not there. */
  #jumps = false
  /** Since the last sound block. */
  #damaged = { count: 0, stated: 0 }
  /** Blocks that follow from each other, but from none before. */
  #stray: { readonly first: ScannedBlock; last: Trailer } | undefined

  constructor(report: Report) {
    this.#report = report
  }

  /** To which the last block belongs that is in its place. */
  get current(): Run {
    return this.#current
  }

  /** @param jumps whether blocks before the segment are not there */
  beginSegment(file: string, segment: number, jumps: boolean): void {
    this.#formerFile = this.#file
    this.#file = file
    this.#segment = segment
    this.#jumps ||= jumps
  }

  /** Undefined if the block is not in its place, or not what was written. */
  add(block: ScannedBlock): ChainedBlock | undefined {
    const { bytes, trailer } = block
    if (bytes === undefined || hashOf(bytes) !== trailer.hash) {
      this.#endStray()
      this.#addDamaged(block)
      return undefined
    }
    const run = this.#runBefore(trailer)
    if (run === undefined && trailer.number <= this.#current.last.number) {
      this.#addStray(block)
      return undefined
    }
    this.#endStray()
    const lines = linesIn(bytes)
    this.#checkLines(block, lines)
    if (run) this.#extend(run, block, lines)
    else this.#begin(block, lines)
    this.#jumps = false
    this.#damaged = { count: 0, stated: 0 }
    return { trailer, lines }
  }

  /**
   * @param offset where the last block ends
   * @param incomplete bytes after it
   */
  endSegment(offset: number, incomplete: number): void {
    this.#endStray()
    if (incomplete === 0) return
    const message = `${countText(incomplete, 'byte')} after the last block are no complete block`
    this.#report({ ...this.#next, kind: 'incomplete', offset, message })
  }

  /** The place after the last block that was in its place. */
  get #next() {
    const { number, record } = this.#current.last
    return { file: this.#file, block: number + 1, record: record + 1 }
  }

  /** From whose end a block follows. */
  #runBefore({ number, previous }: Trailer): Run | undefined {
    const isBefore = ({ last }: Run) => number === last.number + 1 && previous === last.hash
    return isBefore(this.#current) ? this.#current : this.runs.find(isBefore)
  }

  #addDamaged({ offset, length, trailer: { number, record } }: ScannedBlock): void {
    const { last } = this.#current
    const expected = last.number + 1 + this.#damaged.count
    const records = record > last.record ? ` (${rangeText('record', last.record + 1, record)})` : ''
    // If other blocks are damaged or missing before it, its records are not known, nor what its trailer says if that is changed.
    const isPlausible = number === last.number + 1 && record >= last.record
    const place = isPlausible ? `of block ${shown(number)}${records}` : `after block ${shown(expected - 1)}`
    const message = `${countText(length, 'byte')} ${place} are not what was written: their hash is not the one in the trailer`
    this.#report({ ...this.#next, block: expected, kind: 'changed', offset, message })
    this.#damaged = { count: this.#damaged.count + 1, stated: number }
  }

  #addStray(block: ScannedBlock): void {
    const { trailer } = block
    const last = this.#stray?.last
    if (this.#stray && trailer.number === last!.number + 1 && trailer.previous === last!.hash) {
      this.#stray.last = trailer
    } else {
      this.#endStray()
      this.#stray = { first: block, last: trailer }
    }
  }

  #endStray(): void {
    if (this.#stray === undefined) return
    const { first, last } = this.#stray
    this.#stray = undefined
    this.#reportMisplaced(first, last)
  }

  #reportMisplaced({ offset, trailer: { number, record } }: ScannedBlock, last: Trailer): void {
    const message = `${rangeText('block', number, last.number)} after block ${shown(this.#current.last.number)}: repeated, moved, or of another copy of the journal`
    this.#report({ file: this.#file, kind: 'misplaced', offset, block: number, record, message })
  }

  /** What only the gateway's own fault, or somebody who computed the hashes anew, can have written. */
  #checkLines({ offset, trailer: { number, record } }: ScannedBlock, { records, broken, marks }: BlockLines): void {
    const report = (message: string) =>
      this.#report({ file: this.#file, kind: 'changed', offset, block: number, record: record - records + 1, message })
    if (broken !== undefined) report(`line ${shown(broken)} of the block is not a JSON object`)
    if (offset > 0 && marks.some(isHeader))
      report(`a segment begins within segment ${shown(this.#segment)}: give each segment as a file of its own`)
  }

  #extend(run: Run, block: ScannedBlock, { records }: BlockLines): void {
    const { trailer, offset } = block
    if (run !== this.#current) this.#reportMisplaced(block, trailer)
    const counted = trailer.record - run.last.record
    if (counted !== records) {
      const message = `the trailer counts ${countText(counted, 'record')}, the block has ${shown(records)}`
      this.#report({ ...this.#next, kind: 'changed', offset, message })
    }
    run.last = trailer
    this.#current = run
  }

  #begin(block: ScannedBlock, { records, marks }: BlockLines): void {
    const { trailer } = block
    const { count, stated } = this.#damaged
    const { number } = trailer
    const isExplained = count > 0 && (number === this.#current.last.number + 1 + count || number === stated + 1)
    if (!this.#jumps && !isExplained) this.#reportGap(block, marks.some(isHeader))
    this.#current = { firstBlock: number, recordsBefore: trailer.record - records, last: trailer }
    this.runs.push(this.#current)
  }

  /** Before a block that follows from none. */
  #reportGap({ trailer: { number }, offset }: ScannedBlock, isHeader: boolean): void {
    const { block: expected, record } = this.#next
    if (number === expected) {
      const message = `it does not follow from block ${shown(number - 1)}, of which it has another hash: one of them was replaced`
      this.#report({ file: this.#file, offset, kind: 'replaced', block: number, record, message })
      return
    }
    const after = expected === 1 ? 'at the beginning' : `after block ${shown(expected - 1)}`
    const what = this.#damaged.count > 0 ? 'changed or missing' : 'missing'
    const message = `${rangeText('block', expected, number - 1)} ${after} ${expected === number - 1 ? 'is' : 'are'} ${what}`
    // What is missing at the end of a segment is found at the beginning of the next one.
    const place = isHeader && this.#formerFile ? { file: this.#formerFile } : { file: this.#file, offset }
    this.#report({ ...place, kind: 'missing', block: expected, record, message })
  }
}

function isHeader(line: string): boolean {
  return line.startsWith('{"segment":')
}
