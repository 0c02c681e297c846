import { coalesced } from './coalesced.ts'

/** Encryptions under one key material. */
interface Count {
  made: number
  /** As stored. */
  written: number
}

export interface EncryptionCount {
  readonly material: string
  readonly count: number
}

interface Options {
  /** The stored counts, by material. */
  readonly written: Map<string, number>
  /** Encryptions that a material may be ahead of its stored count: after a crash they are added to it. */
  readonly slack: number
  /** Replaces stored counts; durable once it resolves. */
  readonly store: (counts: readonly EncryptionCount[]) => Promise<void>
}

/**
 * Counts encryptions by key material in memory, and never makes fewer than there are. What is stored may be behind, but at most by the
 * slack: an encryption beyond it waits for the write that is overdue, and fails if that fails.
 */
export class EncryptionCounts {
  readonly #written: Map<string, number>
  readonly #slack: number
  readonly #store: Options['store']
  /** Of materials that were used since their counts were written. */
  readonly #recent = new Map<string, Count>()

  /** Writes the counts that have changed. If that fails, rejects and keeps them for the next time. */
  readonly write = coalesced(() => this.#writeRecent())

  constructor({ written, slack, store }: Options) {
    this.#written = written
    this.#slack = slack
    this.#store = store
  }

  /** At least as many as were ever made under the material. */
  made(material: string): number {
    return this.#recent.get(material)?.made ?? this.#written.get(material) ?? 0
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
    const written = this.#written.get(material) ?? 0
    const count = { made: written, written }
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
    const changed = [...this.#recent].map(([material, { made }]) => ({ material, count: made }))
    if (changed.length === 0) return
    await this.#store(changed)
    for (const { material, count: written } of changed) {
      const count = this.#recent.get(material)
      if (count === undefined) continue
      count.written = written
      this.#written.set(material, written)
      if (count.made === written) this.#recent.delete(material)
    }
  }
}
