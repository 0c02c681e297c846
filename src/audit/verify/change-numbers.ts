/** Which changes are on record, in all journals together: a bit for each. */
import type { Rewind } from '../format.ts'

/** Numbers of a page. */
const pageSize = 8192

const mostRepeated = 1000

/** From the first to the last. */
export interface NumberRange {
  readonly first: number
  readonly last: number
}

export class ChangeNumbers {
  readonly #pages = new Map<number, Uint8Array>()
  /** Numbers that were added twice, the first thousand. */
  readonly #repeated = new Set<number>()
  readonly #rewinds: Rewind[] = []
  last = 0
  count = 0

  add(number: number): void {
    const page = this.#page(Math.floor(number / pageSize))
    const [index, bit] = [(number % pageSize) >> 3, 1 << (number & 7)]
    if ((page[index]! & bit) !== 0) {
      if (this.#repeated.size < mostRepeated && !this.#isRewound(number)) this.#repeated.add(number)
      return
    }
    page[index]! |= bit
    this.count++
    this.last = Math.max(this.last, number)
  }

  /** Storage gave the numbers after `to` again. */
  rewind(rewind: Rewind): void {
    this.#rewinds.push(rewind)
  }

  /** Those that storage has not given twice, as far as the journals know. */
  get repeated(): ReadonlySet<number> {
    return new Set([...this.#repeated].filter(number => !this.#isRewound(number)))
  }

  #isRewound(number: number): boolean {
    return this.#rewinds.some(({ from, to }) => to < number && number <= from)
  }

  /** Ranges of numbers that are not there, from 1 up to the last one that is. */
  *missing(): Generator<NumberRange> {
    let next = 1
    for (const [index, page] of [...this.#pages].sort(([one], [other]) => one - other)) {
      for (let offset = 0; offset < pageSize; offset++) {
        if ((page[offset >> 3]! & (1 << (offset & 7))) === 0) continue
        const number = index * pageSize + offset
        if (number > next) yield { first: next, last: number - 1 }
        next = number + 1
      }
    }
  }

  #page(index: number): Uint8Array {
    const found = this.#pages.get(index)
    if (found) return found
    const page = new Uint8Array(pageSize / 8)
    this.#pages.set(index, page)
    return page
  }
}
