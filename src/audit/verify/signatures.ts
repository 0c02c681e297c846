/** Compares what was signed with the blocks of a journal. */
import { checkpointIn, signingKeyIn, type TrustedKeys } from '../checkpoint.ts'
import type { Checkpoint, Trailer } from '../format.ts'
import type { ChainedBlock, Run } from './chain.ts'
import { type Finding, type Report, rangeText, shown } from './finding.ts'
import type { OutsideCheckpoints } from './outside.ts'

/** How many blocks later the checkpoint of a block may stand. */
const latestCheckpoint = 65_536

type SignedBlock = Pick<Trailer, 'number' | 'record' | 'hash'>

/** The latest blocks. As bytes: many objects that live for long cost more than all hashing. */
class RecentBlocks {
  readonly #numbers = new Float64Array(latestCheckpoint)
  readonly #records = new Float64Array(latestCheckpoint)
  readonly #hashes = Buffer.alloc(latestCheckpoint * 32)

  add({ number, record, hash }: Trailer): void {
    const index = number % latestCheckpoint
    this.#numbers[index] = number
    this.#records[index] = record
    this.#hashes.write(hash, index * 32, 'hex')
  }

  find(number: number): SignedBlock | undefined {
    const index = number % latestCheckpoint
    if (this.#numbers[index] !== number) return undefined
    return { number, record: this.#records[index]!, hash: this.#hashes.toString('hex', index * 32, index * 32 + 32) }
  }
}

interface Place {
  readonly file: string
  readonly offset?: number
}

export class Signatures {
  readonly #keys: TrustedKeys
  readonly #outside: OutsideCheckpoints
  readonly #runs: readonly Run[]
  readonly #report: Report
  readonly #recent = new RecentBlocks()
  /** UUID of the journal. */
  readonly #journal: string | undefined
  /** Of the last block with a checkpoint that does not fit: those after it do not fit either. */
  #mismatched = 0
  /** The first one by an unknown key that no later one by a known key covers. */
  #unknown: { readonly finding: Finding; readonly block: number } | undefined

  constructor(options: {
    readonly keys: TrustedKeys
    readonly outside: OutsideCheckpoints
    readonly runs: readonly Run[]
    readonly journal: string | undefined
    readonly report: Report
  }) {
    this.#keys = options.keys
    this.#outside = options.outside
    this.#runs = options.runs
    this.#journal = options.journal
    this.#report = options.report
  }

  /** @param place of the block */
  add({ trailer, lines }: ChainedBlock, place: Place): void {
    this.#recent.add(trailer)
    for (const line of lines.marks) this.#mark(line, trailer, place)
    for (const { file, checkpoint } of this.#outside.of(trailer.number)) this.#check(checkpoint, trailer, { file })
  }

  /** A checkpoint by an unknown key, of a block that no known key has signed. */
  get unknown(): Finding | undefined {
    return this.#unknown?.finding
  }

  #mark(line: string, { number, record }: Trailer, place: Place): void {
    const signingKey = signingKeyIn(line)
    const report = (message: string) => this.#report({ ...place, kind: 'signature', block: number, record, message })
    if (signingKey && this.#keys.change(signingKey) === 'invalid') report('wrong signature of a new signing key')
    const checkpoint = checkpointIn(line)
    if (checkpoint === undefined) {
      if (!signingKey && !/^\{"(?:segment|change|peer|rewind)":/.test(line))
        report('a checkpoint or signing key that is not well-formed')
    } else if (checkpoint.journal !== this.#journal) report('a checkpoint of another journal')
    else if (checkpoint.block >= number) report(`a checkpoint of the later block ${shown(checkpoint.block)}`)
    else if (number - checkpoint.block > latestCheckpoint)
      report(`a checkpoint of block ${shown(checkpoint.block)}, too long after it to be checked`)
    else {
      const signed = this.#recent.find(checkpoint.block)
      // Absent if it was found changed or missing, or is before the first block.
      if (signed) this.#check(checkpoint, signed, { ...place, number })
    }
  }

  /** @param block that the checkpoint is of */
  #check(
    checkpoint: Checkpoint,
    block: SignedBlock,
    { number = block.number, ...place }: Place & { number?: number },
  ): void {
    const { key, time, hash } = checkpoint
    const finding = { ...place, block: number, record: block.record }
    const outcome = this.#keys.check(checkpoint)
    if (outcome === 'invalid') {
      this.#report({ ...finding, kind: 'signature', message: `wrong signature of the checkpoint of ${time}` })
    } else if (outcome === 'unknownKey') {
      const message = `the checkpoint of ${time} is signed by the key ${key}, which is not given, nor introduced by one that is`
      this.#unknown ??= { finding: { ...finding, kind: 'signature', message }, block: block.number }
    } else if (hash !== block.hash) {
      this.#mismatch(checkpoint, place)
    } else {
      if (this.#unknown && this.#unknown.block <= block.number) this.#unknown = undefined
      this.#sign(block, time)
    }
  }

  #mismatch({ block, time }: Checkpoint, place: Place): void {
    const run = this.#runOf(block)
    const first = Math.max(run?.firstBlock ?? 1, (run?.signed?.block ?? 0) + 1)
    if (this.#mismatched >= first) return
    this.#mismatched = block
    const record = (run?.signed?.record ?? run?.recordsBefore ?? 0) + 1
    const message = `${rangeText('block', first, block)}, from record ${shown(record)} on, ${first === block ? 'is' : 'are'} not what was signed at ${time}: changed, removed or replaced, and the hashes computed anew`
    this.#report({ ...place, kind: 'replaced', block: first, record, message })
  }

  #sign({ number, record }: SignedBlock, time: string): void {
    const run = this.#runOf(number)
    if (run && number > (run.signed?.block ?? 0)) run.signed = { block: number, record, time }
  }

  #runOf(block: number): Run | undefined {
    return this.#runs.findLast(({ firstBlock, last }) => firstBlock <= block && block <= last.number)
  }
}
