import { coalesced } from './coalesced.ts'

/** Encryptions under one key material by this process, since it was used first. */
interface Count {
  made: number
  /** Of these. */
  written: number
}

export interface EncryptionCount {
  readonly material: string
  readonly count: number
}

interface Options {
  /** The stored counts, by material. */
  readonly written: Map<string, number>
  /** Encryptions that a material may be ahead of its stored count, in each gateway: after a crash they are added to it. */
  readonly slack: number
  /** Other gateways, which may be ahead of the stored counts. */
  readonly others?: number
  /** Whether other gateways use the storage: then their counts are read even if there is nothing to write. */
  readonly isShared?: boolean
  /** Adds to stored counts; durable once it resolves to what they are now. If it rejects, it may have done so. */
  readonly store: (
    added: readonly EncryptionCount[],
  ) => Promise<{ readonly counts: readonly EncryptionCount[]; readonly others: number }>
}

/**
 * Counts encryptions by key material in memory, and never makes fewer than there are. What is stored may be behind, but at most by the
 * slack: an encryption beyond it waits for the write that is overdue, and fails if that fails.
 *
 * Gateways add to the same stored counts. Each learns what the others have added when it writes, and takes them to be ahead of that by twice
 * the slack: once the stored count is so near a limit that one of them refuses, each of the others makes no more than the slack before it
 * writes and refuses as well.
 */
export class EncryptionCounts {
  readonly #written: Map<string, number>
  readonly #slack: number
  readonly #store: Options['store']
  readonly #isShared: boolean
  #others: number
  /** Of materials that were used since their counts were written. */
  readonly #recent = new Map<string, Count>()

  /** Writes the counts that have changed. If that fails, rejects and keeps them for the next time. */
  readonly write = coalesced(() => this.#writeRecent())

  constructor({ written, slack, store, others = 0, isShared = false }: Options) {
    this.#written = written
    this.#slack = slack
    this.#store = store
    this.#others = others
    this.#isShared = isShared
  }

  /** At least as many as were ever made under the material, but for what other gateways have written since this one last did. */
  made(material: string): number {
    const { made, written } = this.#recent.get(material) ?? { made: 0, written: 0 }
    const unknown = this.#others === 0 ? 0 : 2 * this.#slack * (this.#others + 1)
    return (this.#written.get(material) ?? 0) + made - written + unknown
  }

  /** Counts one more, which may be made at once, or when the promise resolves; if it rejects, it must not be made. */
  count(material: string): Promise<void> | undefined {
    const count = this.#recent.get(material) ?? this.#add(material)
    const number = ++count.made
    const unwritten = number - count.written
    if (unwritten * 2 <= this.#slack) return undefined
    if (unwritten > this.#slack) return this.#waitFor(count, number)
    if ((unwritten - 1) * 2 <= this.#slack) this.write().catch(() => {})
    return undefined
  }

  /** For materials that are gone. */
  forget(materials: readonly string[]): void {
    for (const material of materials) {
      this.#written.delete(material)
      this.#recent.delete(material)
    }
  }

  #add(material: string): Count {
    const count = { made: 0, written: 0 }
    this.#recent.set(material, count)
    return count
  }

  async #waitFor(count: Count, number: number): Promise<void> {
    try {
      while (number - count.written > this.#slack) await this.write()
    } catch (error) {
      count.made--
      throw error
    }
  }

  async #writeRecent(): Promise<void> {
    const changed = [...this.#recent].filter(([, { made, written }]) => made > written)
    if (changed.length === 0 && !this.#isShared) return
    const upTo = new Map(changed.map(([material, { made }]) => [material, made]))
    const added = changed.map(([material, { made, written }]) => ({ material, count: made - written }))
    const { counts, others } = await this.#store(added)
    this.#others = others
    for (const { material, count } of counts) this.#written.set(material, count)
    for (const [material, written] of upTo) {
      const count = this.#recent.get(material)
      if (count === undefined) continue
      count.written = written
      if (count.made === written) this.#recent.delete(material)
    }
  }
}
