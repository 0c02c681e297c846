const minute = 60_000
/** Milliseconds without another attempt: after the first failure, doubled by each further one, and at most. */
const pause = { first: minute, longest: 60 * minute }

/** When to try again what has failed: each attempt may be on record. */
export class Backoff {
  readonly #elapsed: () => number
  readonly #failures = new Map<string, { readonly times: number; readonly until: number }>()

  /** @param elapsed milliseconds of the monotonic clock */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed
  }

  isPaused(name: string): boolean {
    return this.#elapsed() < (this.#failures.get(name)?.until ?? 0)
  }

  failed(name: string): void {
    const times = (this.#failures.get(name)?.times ?? 0) + 1
    const wait = Math.min(pause.first * 2 ** (times - 1), pause.longest)
    this.#failures.set(name, { times, until: this.#elapsed() + wait })
  }

  succeeded(name: string): void {
    this.#failures.delete(name)
  }

  /** Forgets all others. */
  retain(names: ReadonlySet<string>): void {
    for (const name of this.#failures.keys()) if (!names.has(name)) this.#failures.delete(name)
  }
}
