import { coalesced } from './coalesced.ts'

/** Last uses that are not written yet: a crash loses those since the last write. */
export class LastUses<U> {
  readonly #identity: (use: U) => string
  readonly #write: (uses: readonly U[]) => Promise<void>
  #recent = new Map<string, U>()
  #beingWritten: ReadonlyMap<string, U> = new Map()

  /**
   * Writes them. If that fails, rejects and keeps them for the next time.
   */
  readonly write = coalesced(() => this.#writeRecent())

  /**
   * @param identity of what is used
   * @param write replaces the stored last uses of the same
   */
  constructor(identity: (use: U) => string, write: (uses: readonly U[]) => Promise<void>) {
    this.#identity = identity
    this.#write = write
  }

  record(use: U): void {
    this.#recent.set(this.#identity(use), use)
  }

  find(identity: string): U | undefined {
    return this.#recent.get(identity) ?? this.#beingWritten.get(identity)
  }

  async #writeRecent(): Promise<void> {
    const uses = this.#recent
    if (uses.size === 0) return
    this.#recent = new Map()
    this.#beingWritten = uses
    try {
      await this.#write([...uses.values()])
    } catch (error) {
      this.#recent = new Map([...uses, ...this.#recent])
      throw error
    } finally {
      this.#beingWritten = new Map()
    }
  }
}
