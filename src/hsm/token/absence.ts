/** Whether an object that a search does not find is missing, or unknown to the library in this process. */

/** Milliseconds after which a process may have read an object of another one while it was incomplete. */
const recent = 60_000

/** Another process must look again: the library in this one may not know all objects of the token. */
export class Outdated extends Error {
  override readonly name = 'Outdated'
}

/**
 * Of a library that keeps an index of the objects in each process, while other processes use the token: see `singleProcess` in profile.ts.
 * SoftHSM misses objects that another process has added before this one wrote, and for good those that it read while they were incomplete.
 */
export class Absence {
  readonly #isDoubtful: boolean
  readonly #startedAt = performance.now()
  #hasWritten = false

  /** @param isDoubtful whether other processes use the token, and the library is one of those */
  constructor(isDoubtful: boolean) {
    this.#isDoubtful = isDoubtful
  }

  /** Whether a search should come before each write, as the library reads the token again then. */
  get isDoubtful(): boolean {
    return this.#isDoubtful
  }

  /** This process has added or destroyed an object. */
  wrote(): void {
    this.#hasWritten = true
  }

  /** A search has not found an object. Throws Outdated, unless this process would know it. */
  check(): void {
    const isNew = performance.now() - this.#startedAt < recent
    if (this.#isDoubtful && (this.#hasWritten || !isNew)) throw new Outdated('other processes may have added objects')
  }
}
