import { Failure } from '../errors.ts'

interface Bucket {
  tokens: number
  /** When they were counted. */
  at: number
}

/** Token buckets, by name: each holds the requests of a second, at least one, and is full at first. */
export class Quotas {
  readonly #now: () => number
  readonly #processes: number
  readonly #buckets = new Map<string, Bucket>()

  /**
   * @param now milliseconds, monotonic
   * @param processes among which the quotas are divided
   */
  constructor(now: () => number, processes = 1) {
    this.#now = now
    this.#processes = processes
  }

  /** Throws Throttling if there is nothing left to take. @param perSecond requests */
  take(name: string, perSecond: number): void {
    const now = this.#now()
    const own = perSecond / this.#processes
    const most = Math.max(1, own)
    const bucket = this.#buckets.get(name) ?? { tokens: most, at: now }
    this.#buckets.set(name, bucket)
    bucket.tokens = Math.min(most, bucket.tokens + ((now - bucket.at) * own) / 1000)
    bucket.at = now
    if (bucket.tokens < 1) throw new Failure('Throttling', `More than ${perSecond} requests per second.`)
    bucket.tokens--
  }
}
