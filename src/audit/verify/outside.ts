/** Checkpoints that were kept outside of a journal: then the journal cannot end before them, nor be another one. */
import { hash } from 'node:crypto'
import { checkpointIn, signingKeyIn, type TrustedKeys } from '../checkpoint.ts'
import type { Checkpoint } from '../format.ts'

/** A checkpoint, and the file that has it. */
export interface OutsideCheckpoint {
  readonly file: string
  readonly checkpoint: Checkpoint
}

/** A checkpoint or a change of the signing key, wherever it stands in a text: no member of either is an object. */
const anyMark = /\{"(?:checkpoint|signingKey)":\{[^{}]*\}\}/g

/** Bytes of the longest one. */
const longestMark = 4096

/**
 * In any format that has them as they are in a journal: lines of JSON, of syslog, arrays. It takes memory for each checkpoint, some hundred
 * bytes, not for what is around them.
 */
export class OutsideCheckpoints {
  readonly #keys: TrustedKeys
  readonly #journal: string | undefined
  readonly #byBlock = new Map<number, OutsideCheckpoint[]>()
  /** Of the lines with checkpoints: SHA-256. */
  readonly #digests = new Set<string>()
  /** A checkpoint of each other journal, by its UUID. */
  readonly #others = new Map<string, OutsideCheckpoint>()
  /** Those with a wrong signature. */
  readonly invalid: OutsideCheckpoint[] = []

  /** @param journal UUID of the journal that is verified */
  constructor(keys: TrustedKeys, journal: string | undefined) {
    this.#keys = keys
    this.#journal = journal
  }

  /** @returns how many are of the journal */
  async read(file: string, bytes: AsyncIterable<Buffer>): Promise<number> {
    let rest = ''
    let count = 0
    for await (const chunk of bytes) {
      const text = rest + chunk.toString('latin1')
      let end = 0
      for (const match of text.matchAll(anyMark)) {
        end = match.index + match[0].length
        if (this.#add(file, match[0])?.journal === this.#journal) count++
      }
      rest = text.slice(Math.max(end, text.length - longestMark))
    }
    return count
  }

  /** One of each other journal. */
  get others(): Iterable<OutsideCheckpoint> {
    return this.#others.values()
  }

  of(block: number): readonly OutsideCheckpoint[] {
    return this.#byBlock.get(block) ?? []
  }

  /** Those of blocks after a given one, and not after a given segment. */
  *after(block: number, lastSegment: number): Generator<OutsideCheckpoint> {
    for (const [number, found] of this.#byBlock) {
      if (number > block) yield* found.filter(({ checkpoint }) => checkpoint.segment <= lastSegment)
    }
  }

  #add(file: string, line: string): Checkpoint | undefined {
    const signingKey = signingKeyIn(line)
    if (signingKey) this.#keys.change(signingKey)
    const checkpoint = checkpointIn(line)
    if (checkpoint === undefined) return undefined
    // Sinks deliver at least once, and there may be several.
    const digest = hash('sha256', line, 'base64')
    if (this.#digests.has(digest)) return checkpoint
    this.#digests.add(digest)
    const found = { file, checkpoint }
    if (this.#keys.check(checkpoint) === 'invalid') this.invalid.push(found)
    else if (checkpoint.journal !== this.#journal) this.#others.set(checkpoint.journal, found)
    else this.#addTo(checkpoint.block, found)
    return checkpoint
  }

  #addTo(block: number, found: OutsideCheckpoint): void {
    const others = this.#byBlock.get(block)
    if (others) others.push(found)
    else this.#byBlock.set(block, [found])
  }
}
