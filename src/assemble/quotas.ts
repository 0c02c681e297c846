import { Failure } from '../errors.ts'

interface Bucket {
  tokens: number
  /** When they were counted. */
  at: number
}

/** Token buckets, by name: each holds the requests of a second, and is full at first. */
export class Quotas {
  readonly #now: () => number
  readonly #buckets = new Map<string, Bucket>()

  /** @param now milliseconds, monotonic */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Throws Throttling if there is nothing left to take. @param perSecond requests */
  take(name: string, perSecond: number): void {
    const now = this.#now()
    const bucket = this.#buckets.get(name) ?? { tokens: perSecond, at: now }
    this.#buckets.set(name, bucket)
    bucket.tokens = Math.min(perSecond, bucket.tokens + ((now - bucket.at) * perSecond) / 1000)
    bucket.at = now
    if (bucket.tokens < 1) throw new Failure('Throttling', `More than ${perSecond} requests per second.`)
    bucket.tokens--
  }
}
