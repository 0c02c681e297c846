import { coalesced } from './coalesced.ts'

/** Last uses that are not written yet: a crash loses those since the last write. */
export class LastUses<U extends { readonly usedAt: number }> {
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

  /** The later one of that in memory and that in storage, which may be of another gateway. */
  async latest(identity: string, stored: () => Promise<U | undefined>): Promise<U | undefined> {
    const before = this.#find(identity)
    const other = await stored()
    // That in memory may have been written meanwhile, but not after it was read.
    const own = this.#find(identity) ?? before
    return own && (other === undefined || own.usedAt >= other.usedAt) ? own : other
  }

  #find(identity: string): U | undefined {
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
