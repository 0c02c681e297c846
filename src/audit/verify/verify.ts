/**
 * Verifies an audit journal, with nothing but its files and the public key of its checkpoints. In constant memory, and hardly slower than
 * SHA-256: a line is not parsed unless it is a checkpoint. docs/audit.md says what it proves.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TrustedKeys } from '../checkpoint.ts'
import { Chain, type Run } from './chain.ts'
import { countText, type Report, shown } from './finding.ts'
import { type OutsideCheckpoint, OutsideCheckpoints } from './outside.ts'
import { BlockScanner, type ScannedBlock } from './scan.ts'
import { type OrderedSegment, orderedSegments } from './segments.ts'
import { Signatures } from './signatures.ts'
import { isDamage, type Source } from './source.ts'
import type { Statements } from './statements.ts'

export interface VerifyOptions {
  readonly keys: TrustedKeys
  /** Files with checkpoints that were kept outside of the journal. */
  readonly checkpoints: readonly Source[]
  /** The file to which the gateway writes, if it is missing. */
  readonly absent?: string | undefined
  /** UUID of the journal; default: that of its first segment. */
  readonly journal?: string | undefined
  /** UUIDs of other journals that are verified, too: their checkpoints may be in the same files. */
  readonly others?: ReadonlySet<string> | undefined
  /** Number of the first segment; default: 1, from which on nothing may be missing. */
  readonly from?: number | undefined
  /** Number of the last segment; default: the last one there is. */
  readonly to?: number | undefined
  /** Milliseconds between the last checkpoint and the last record. */
  readonly maxUnsigned: number
  /** Milliseconds to wait for a block that a gateway is writing. */
  readonly patience: number
  /** Is told the lines that are no records. */
  readonly statements: Statements
  readonly report: Report
}

/** Blocks that are what they were when they were signed, and their records. */
export interface SignedRange {
  readonly firstBlock: number
  readonly firstRecord: number
  readonly lastRecord: number
  readonly lastBlock: number
  /** Of its last checkpoint. */
  readonly time: string
}

export interface Verdict {
  readonly isWhole: boolean
  readonly journal: string | undefined
  /** Name of the gateway that wrote its last segment; undefined if a former version did. */
  readonly gateway: string | undefined
  /** Numbers. */
  readonly segments: { readonly first: number; readonly last: number } | undefined
  /** In their place, with the right hash. */
  readonly blocks: number
  readonly records: number
  readonly bytes: number
  /** What is proven. */
  readonly signed: readonly SignedRange[]
  /** Records after the last one that is signed. */
  readonly unsigned: number
  readonly findings: number
}

/** Then the rest is not worth reading: it is not the same journal any more. */
export const mostFindings = 1000

/** Rejects if a file cannot be read. */
export async function verifyJournal(
  sources: readonly Source[],
  options: VerifyOptions,
): Promise<{ readonly verdict: Verdict; readonly segments: readonly OrderedSegment[] }> {
  const verification = new Verification(options)
  const { absent } = options
  if (absent !== undefined)
    verification.report({ file: absent, kind: 'missing', message: 'the last segment is missing' })
  const { segments, journal } = await orderedSegments(sources, { ...options, report: verification.report })
  return { verdict: await verification.run(segments, journal), segments }
}

class Verification {
  readonly #options: VerifyOptions
  readonly #chain: Chain
  #findings = 0
  #bytes = 0
  #blocks = 0
  /** The last block that has records, while its bytes are valid. */
  #lastRecords: ScannedBlock | undefined
  /** eventTime of the last record. */
  #lastTime = ''

  constructor(options: VerifyOptions) {
    this.#options = options
    this.#chain = new Chain(this.report)
  }

  readonly report: Report = finding => {
    this.#findings++
    if (this.#findings <= mostFindings) this.#options.report(finding)
  }

  async run(segments: readonly OrderedSegment[], journal: string | undefined): Promise<Verdict> {
    const { keys, checkpoints } = this.#options
    const outside = new OutsideCheckpoints(keys, journal)
    for (const source of checkpoints) await this.#readOutside(source, outside)
    const signatures = new Signatures({ keys, outside, journal, runs: this.#chain.runs, report: this.report })
    const last = segments.at(-1)
    for (const segment of segments) {
      if (this.#findings < mostFindings) await this.#segment(segment, signatures, segment === last)
    }
    if (this.#findings < mostFindings) {
      const lastFile = last?.source.file ?? ''
      this.#checkOutside(outside, lastFile)
      this.#checkEnd(signatures, lastFile)
    }
    const numbers = segments.map(({ number }) => number)
    const range = last && { first: numbers[0]!, last: last.number }
    return {
      ...this.#counts,
      isWhole: this.#findings === 0,
      journal,
      gateway: this.#options.statements.gateway,
      segments: range,
      findings: this.#findings,
    }
  }

  async #readOutside(source: Source, outside: OutsideCheckpoints): Promise<void> {
    const { file } = source
    let found = 0
    try {
      found = await outside.read(file, source.bytes())
    } catch (error) {
      if (!isDamage(error)) throw error
      this.report({ file, kind: 'incomplete', message: `it cannot be decompressed to its end: ${error.message}` })
    }
    if (found === 0 && !this.#options.others?.size)
      this.report({ file, kind: 'missing', message: 'it has no checkpoint of the journal' })
  }

  async #segment(segment: OrderedSegment, signatures: Signatures, isLast: boolean): Promise<void> {
    const { source, number, jumps } = segment
    const { file } = source
    this.#chain.beginSegment(file, number, jumps)
    const visit = (block: ScannedBlock) => {
      if (this.#findings < mostFindings) this.#visit(block, file, signatures)
    }
    const scanner = new BlockScanner()
    try {
      await this.#scan(source, scanner, visit)
      const isBeingWritten = isLast && scanner.incomplete > 0 && (await this.#wait(source, scanner, visit))
      if (!isBeingWritten) this.#chain.endSegment(scanner.offset, scanner.incomplete)
    } catch (error) {
      if (!isDamage(error)) throw error
      this.#chain.endSegment(scanner.offset, scanner.incomplete)
      this.report({ file, kind: 'incomplete', message: `it cannot be decompressed to its end: ${error.message}` })
    }
  }

  async #scan(source: Source, scanner: BlockScanner, visit: (block: ScannedBlock) => void): Promise<void> {
    for await (const chunk of source.bytes(scanner.offset)) {
      for (const block of scanner.scan(chunk)) visit(block)
      if (this.#lastRecords) this.#lastTime = timeOf(this.#lastRecords) ?? this.#lastTime
      this.#lastRecords = undefined
    }
  }

  /** Whether the incomplete block at the end was being written, by a gateway, and is whole now. */
  async #wait(source: Source, { offset }: BlockScanner, visit: (block: ScannedBlock) => void): Promise<boolean> {
    const step = 50
    for (let waited = 0; waited < this.#options.patience && !source.isCompressed; waited += step) {
      await sleep(step)
      const scanner = new BlockScanner(offset)
      await this.#scan(source, scanner, visit)
      if (scanner.offset > offset) return true
    }
    return false
  }

  #visit(block: ScannedBlock, file: string, signatures: Signatures): void {
    this.#bytes += block.length
    const chained = this.#chain.add(block)
    if (chained === undefined) return
    this.#blocks++
    if (chained.lines.records > 0) this.#lastRecords = block
    signatures.add(chained, { file, offset: block.offset })
    for (const line of chained.lines.marks)
      if (!this.#options.statements.add(line, file)) this.#malformed(line, block, file)
  }

  #malformed(line: string, { offset, trailer: { number, record } }: ScannedBlock, file: string): void {
    const message = `a ${/\w+/.exec(line)?.[0]} that is not well-formed`
    this.report({ file, kind: 'changed', offset, block: number, record, message })
  }

  #checkOutside(outside: OutsideCheckpoints, lastFile: string): void {
    const { keys, to = Number.POSITIVE_INFINITY, journal } = this.#options
    for (const { file, checkpoint } of outside.invalid) {
      const { time, block } = checkpoint
      this.report({ file, kind: 'signature', block, message: `wrong signature of the checkpoint of ${time}` })
    }
    for (const { file, checkpoint } of journal === undefined ? outside.others : []) {
      if (this.#options.others?.has(checkpoint.journal)) continue
      const message = `it has checkpoints of the journal ${checkpoint.journal}, too: if that is another gateway's, name the journal to verify`
      this.report({ file, kind: 'replaced', message })
    }
    let last: OutsideCheckpoint | undefined
    for (const found of outside.after(this.#chain.current.last.number, to)) {
      const { file, checkpoint } = found
      const { block, record, time, key } = checkpoint
      if (keys.check(checkpoint) !== 'valid') {
        const message = `the checkpoint of ${time} is signed by the key ${key}, which is not given`
        this.report({ file, kind: 'signature', block, record, message })
      } else if (block > (last?.checkpoint.block ?? 0)) last = found
    }
    if (last) this.#reportCut(last, lastFile)
  }

  #reportCut({ file, checkpoint: { block, record, time } }: OutsideCheckpoint, lastFile: string): void {
    const { number, record: lastRecord } = this.#chain.current.last
    const message =
      `the journal ends with block ${shown(number)} (record ${shown(lastRecord)}), but ${file} has a checkpoint of ` +
      `block ${shown(block)} (record ${shown(record)}) of ${time}: its end was cut off, or it is an older copy`
    this.report({ file: lastFile, kind: 'missing', block: number + 1, record: lastRecord + 1, message })
  }

  #checkEnd({ unknown }: Signatures, file: string): void {
    if (unknown) this.report(unknown)
    const run = this.#chain.current
    const finding = { file, kind: 'unsigned' } as const
    if (this.#chain.runs.every(({ signed }) => signed === undefined)) {
      this.report({ ...finding, message: 'no checkpoint by a key that is given fits: nothing is proven' })
    }
    const { signed } = run
    if (signed === undefined || run.last.record === signed.record) return
    const time = this.#lastTime
    // Also if one of them is no time.
    if (Date.parse(time) - Date.parse(signed.time) <= this.#options.maxUnsigned) return
    const message = `${countText(run.last.record - signed.record, 'record')} up to ${time} are not signed: the last checkpoint is of ${signed.time}`
    this.report({ ...finding, block: signed.block + 1, record: signed.record + 1, message })
  }

  get #counts(): Pick<Verdict, 'blocks' | 'records' | 'bytes' | 'signed' | 'unsigned'> {
    const { runs, current } = this.#chain
    return {
      blocks: this.#blocks,
      records: runs.reduce((sum, run) => sum + run.last.record - run.recordsBefore, 0),
      bytes: this.#bytes,
      signed: runs.flatMap(rangeOf),
      unsigned: current.last.record - (current.signed?.record ?? current.recordsBefore),
    }
  }
}

function rangeOf({ firstBlock, recordsBefore, signed }: Run): SignedRange[] {
  if (signed === undefined) return []
  const { record: lastRecord, block: lastBlock, time } = signed
  return [{ firstBlock, firstRecord: recordsBefore + 1, lastRecord, lastBlock, time }]
}

/** The eventTime of the last record of a block. */
function timeOf({ bytes }: ScannedBlock): string | undefined {
  const member = '"eventTime":"'
  const begin = (bytes?.lastIndexOf(member) ?? -1) + member.length
  return begin < member.length ? undefined : bytes!.toString('latin1', begin, begin + 40).split('"')[0]
}
