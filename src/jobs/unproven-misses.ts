import type { CustodyFault } from '../model/keys/key.ts'
import type { Hsm } from '../services.ts'

/** Milliseconds. */
const betweenSearches = 60_000

/**
 * Keys that a worker did not find, but may have read while another gateway was creating them: see hsm/token/absence.ts. Only a miss of a
 * later worker proves anything, as that one has started after their objects were complete.
 */
export class UnprovenMisses {
  /** Workers that had started at the first miss, by name. */
  readonly #starts = new Map<string, number>()
  #nextSearch = 0

  /** Whether what a check of a key has found is no proof yet. */
  add(name: string, fault: CustodyFault | undefined, { mayMissKeys, starts }: Hsm['health']): boolean {
    const isUnproven = fault === 'missing' && mayMissKeys === true && starts === (this.#starts.get(name) ?? starts)
    if (isUnproven) this.#starts.set(name, starts)
    else this.#starts.delete(name)
    return isUnproven
  }

  delete(name: string): void {
    this.#starts.delete(name)
  }

  /** Names that are to be checked again: by then a worker that misses one of them is replaced. @param now milliseconds */
  due(now: number): Iterable<string> {
    if (now < this.#nextSearch) return []
    this.#nextSearch = now + betweenSearches
    return this.#starts.keys()
  }
}
