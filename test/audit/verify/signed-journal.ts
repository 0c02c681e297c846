import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { checkpointText, fingerprintOf, pemOf, signingKeyText } from '../../../src/audit/checkpoint.ts'
import type { AuditRecord } from '../../../src/audit/entry.ts'
import { blockOf, type Checkpoint, type Head, noHash, type SegmentHeader } from '../../../src/audit/format.ts'
import type { SigningKey } from '../../../src/model/keys/key.ts'
import { aRecord } from '../records.ts'

/** A key for checkpoints. */
export class SignerKey {
  readonly #key: KeyObject
  readonly publicKey: Buffer
  readonly fingerprint: string

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    this.#key = privateKey
    this.publicKey = publicKey.export({ type: 'spki', format: 'der' })
    this.fingerprint = fingerprintOf(this.publicKey)
  }

  get pem(): string {
    return pemOf(this.publicKey)
  }

  checkpoint({ journal, segment, block, record, hash }: Head, time: string): Checkpoint {
    const text = { journal, segment, block, record, hash, time, key: this.fingerprint }
    return { ...text, signature: this.sign(checkpointText(text)) }
  }

  introduce(next: SignerKey, time: string): SigningKey {
    const change = { publicKey: next.publicKey.toString('base64'), previous: this.fingerprint, time }
    return { ...change, signature: this.sign(signingKeyText(change)) } as SigningKey
  }

  sign(text: string): string {
    return sign('sha256', Buffer.from(text), this.#key).toString('base64')
  }
}

export const journalId = '0f8fad5b-d9cb-469f-a165-70867728950e'

/** Writes a journal as a gateway does, into memory. */
export class JournalWriter {
  /** Blocks of each segment. */
  readonly segments: Buffer[][] = []
  head: Head
  #seconds = 0

  readonly #gateway: string | undefined

  constructor(journal = journalId, gateway?: string) {
    this.#gateway = gateway
    this.head = { journal, segment: 0, block: 0, record: 0, hash: noHash }
    this.beginSegment()
  }

  get time(): string {
    return new Date(Date.UTC(2026, 0, 1) + this.#seconds * 1000).toISOString()
  }

  pass(seconds: number): void {
    this.#seconds += seconds
  }

  beginSegment(before?: SegmentHeader['before']): void {
    const number = this.head.segment + 1
    this.head = { ...this.head, segment: number }
    this.segments.push([])
    const header: SegmentHeader = {
      version: 1,
      journal: this.head.journal,
      number,
      gateway: this.#gateway,
      time: this.time,
      before,
    }
    this.block([{ segment: header }])
  }

  records(count: number, rest: Partial<AuditRecord> = {}): void {
    this.pass(1)
    const records = Array.from({ length: count }, (_, index) =>
      aRecord(this.head.record + index + 1, { eventTime: this.time, ...rest }),
    )
    this.block(records, count)
  }

  block(lines: readonly object[], records = 0): void {
    const { bytes, head } = blockOf(lines.map(line => `${JSON.stringify(line)}\n`).join(''), records, this.head)
    this.segments.at(-1)!.push(bytes)
    this.head = head
  }

  checkpoint(key: SignerKey, head = this.head): Checkpoint {
    const checkpoint = key.checkpoint(head, this.time)
    this.block([{ checkpoint }])
    return checkpoint
  }

  get files(): Buffer[] {
    return this.segments.map(blocks => Buffer.concat(blocks))
  }
}

/**
 * A journal of a few small segments, whose last block is a checkpoint of all before.
 *
 * @param sizes records of each block, in each segment
 */
export function writeJournal(key: SignerKey, sizes: readonly (readonly number[])[]): JournalWriter {
  const writer = new JournalWriter()
  for (const [index, blocks] of sizes.entries()) {
    if (index > 0) writer.beginSegment()
    for (const count of blocks) {
      writer.records(count)
      if (count % 3 === 0) writer.checkpoint(key)
    }
  }
  writer.checkpoint(key)
  return writer
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
