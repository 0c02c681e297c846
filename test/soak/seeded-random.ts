/** SeededRandom that can be had again: the same seed draws the same. */

export class SeededRandom {
  #state: number

  /** @param seed an integer */
  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 up to but not including 1: mulberry32. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let n = this.#state
    n = Math.imul(n ^ (n >>> 15), n | 1)
    n ^= n + Math.imul(n ^ (n >>> 7), n | 61)
    return ((n ^ (n >>> 14)) >>> 0) / 2 ** 32
  }

  between(least: number, most: number): number {
    return least + this.fraction() * (most - least)
  }

  of<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.fraction() * choices.length)]!
  }
}
