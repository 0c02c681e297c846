/** Keeps calls from a proxy that does not work: Michael Nygard, "Release It!", "Circuit Breaker". No timer: it looks at the clock when asked. */

/** Consecutive failures that open it. */
const threshold = 5
/** Milliseconds for which it stays open, and after which one call may try. */
const openTime = 1000

export type BreakerState = 'closed' | 'open' | 'half_open'

export class CircuitBreaker {
  readonly #elapsed: () => number
  #failures = 0
  #openedAt = 0
  #isTrying = false

  /** @param elapsed milliseconds of the monotonic clock */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed
  }

  get state(): BreakerState {
    if (this.#failures < threshold) return 'closed'
    return this.#isTrying || this.#elapsed() - this.#openedAt >= openTime ? 'half_open' : 'open'
  }

  /** Whether a call may be made. One that may reports how it ended, whatever happens. */
  admit(): boolean {
    const { state } = this
    if (state === 'closed') return true
    if (state === 'open' || this.#isTrying) return false
    this.#isTrying = true
    return true
  }

  succeeded(): void {
    this.#failures = 0
    this.#isTrying = false
  }

  failed(): void {
    this.#failures++
    this.#isTrying = false
    this.#openedAt = this.#elapsed()
  }
}
