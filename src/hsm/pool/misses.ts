/**
 * Keys that a worker has not found, of a library that may not know what other gateways have created since the worker opened the token: only
 * one that has opened it later proves that a key is missing.
 */
export class Misses {
  /** By CKA_ID: performance.now() of the first miss. */
  readonly #first = new Map<string, number>()

  /** @param openedAt when the worker was told to open the token */
  isProof(object: string, openedAt: number): boolean {
    const first = this.#first.get(object)
    if (first === undefined) this.#first.set(object, performance.now())
    return first !== undefined && openedAt > first
  }

  found(object: string): void {
    this.#first.delete(object)
  }
}
