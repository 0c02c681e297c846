/** Signs the end of the audit journal again and again: see audit/checkpoint.ts. */
import { checkpointReach, checkpointText, fingerprintOf, TrustedKeys } from '../audit/checkpoint.ts'
import type { Head, Line } from '../audit/format.ts'
import type { DurableBlock, Journal } from '../audit/journal.ts'
import { Failure } from '../errors.ts'
import type { SystemKey } from '../model/keys/key.ts'
import type { Checkpoints, Services } from '../services.ts'
import { auditKey, auditPublicKey, signWith } from './audit-key.ts'
import { PeerStatements } from './peer-statements.ts'

interface CheckpointOptions extends Pick<Services, 'storage' | 'hsms' | 'clock'> {
  readonly journal: Pick<Journal, 'head' | 'append' | 'follow'>
  /** Name of this gateway. */
  readonly gateway?: string | undefined
  /** Milliseconds of the monotonic clock. */
  readonly elapsed: () => number
  /** Milliseconds for which blocks may stay unsigned. */
  readonly interval: number
}

export class JournalCheckpoints implements Checkpoints {
  readonly #options: CheckpointOptions
  #head: Head
  /** Number of the last block that a checkpoint signs. */
  #signed = 0
  /** Ends of segments that are not yet signed. */
  #ends: Head[] = []
  /** By `elapsed`: when the first of the blocks was written that are not yet signed. At the start it is unknown whether there are any. */
  #unsignedSince: number | undefined
  /** What the last checkpoint of this run was in, and signed by. */
  #last: { readonly segment: number; readonly key: string } | undefined
  lastTime: number | undefined
  readonly #peers: PeerStatements

  constructor(options: CheckpointOptions) {
    this.#options = { ...options, hsms: options.hsms.for('checkpoints') }
    this.#head = options.journal.head
    this.#peers = new PeerStatements(options)
    this.#unsignedSince = options.elapsed()
    options.journal.follow(block => this.#follow(block))
  }

  get unsignedFor(): number {
    return this.#unsignedSince === undefined ? 0 : this.#options.elapsed() - this.#unsignedSince
  }

  async signDue(): Promise<void> {
    // Also at the start.
    const isKeyNew = this.#last?.key !== this.#key()?.material.id
    await this.#peers.writeDue()
    if (this.#ends.length > 0 || isKeyNew || this.unsignedFor >= this.#options.interval) await this.sign()
  }

  async sign(): Promise<void> {
    for (let [end] = this.#ends; end !== undefined; [end] = this.#ends) {
      if (end.block > this.#signed) await this.#sign(end)
      this.#ends.shift()
    }
    const since = this.#unsignedSince
    if (since === undefined) return
    await this.#peers.write()
    // What is written meanwhile is for the next checkpoint.
    this.#unsignedSince = undefined
    try {
      await this.#sign(this.#head)
    } catch (error) {
      this.#unsignedSince = since
      throw error
    }
  }

  #follow({ head, lines }: DurableBlock): void {
    if (head.segment !== this.#head.segment) this.#ends.push(this.#head)
    this.#head = head
    if (!lines.every(isSignature)) this.#unsignedSince ??= this.#options.elapsed()
  }

  async #sign({ journal, segment, block, record, hash }: Head): Promise<void> {
    const { clock, hsms, gateway } = this.#options
    const systemKey = this.#key()
    if (systemKey === undefined) throw new Error('no connected HSM has an audit key')
    await this.#introduce(systemKey)
    const publicKey = auditPublicKey(systemKey)
    const now = clock()
    const time = new Date(now).toISOString()
    const unsigned = { journal, gateway, segment, block, record, hash, time, key: fingerprintOf(publicKey) }
    const checkpoint = { ...unsigned, signature: await signWith(systemKey.material, checkpointText(unsigned), hsms) }
    if (new TrustedKeys([publicKey]).check(checkpoint) !== 'valid')
      throw new Failure('Internal', '', { cause: new Error('the signature of a checkpoint is not valid') })
    // After a long outage of the HSM: the next checkpoint signs this block, too.
    if (this.#head.block - block > checkpointReach) return
    await this.#options.journal.append({ checkpoint })
    await this.#peers.publish({ segment, block, record, hash })
    this.#signed = block
    this.lastTime = now
  }

  /**
   * Writes how the key followed from the first one, before its first signature in a segment: who has the first one only can check the
   * segment without those before.
   */
  async #introduce({ material, changes = [] }: SystemKey): Promise<void> {
    const { segment } = this.#head
    if (this.#last?.segment === segment && this.#last.key === material.id) return
    const { journal } = this.#options
    await Promise.all(changes.map(signingKey => journal.append({ signingKey })))
    this.#last = { segment, key: material.id }
  }

  #key(): SystemKey | undefined {
    const { hsms, storage } = this.#options
    return auditKey(
      hsms.all.map(({ name }) => name),
      storage,
    )
  }
}

function isSignature(line: Line): boolean {
  return 'checkpoint' in line || 'signingKey' in line
}
