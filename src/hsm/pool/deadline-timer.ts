/** One timer for many deadlines. A timer per call would outlive most calls and keep them in memory. */

export class DeadlineTimer {
  readonly #expire: () => void
  #timer: NodeJS.Timeout | undefined
  /** Set from when the deadline has passed until `expire` is called. */
  #passed: NodeJS.Immediate | undefined
  #due = Number.POSITIVE_INFINITY

  /** @param expire called when the earliest deadline has passed; has to `watch` the remaining ones */
  constructor(expire: () => void) {
    this.#expire = expire
  }

  /** Makes sure that `expire` is called at the deadline: performance.now(). */
  watch(deadline: number): void {
    if (deadline >= this.#due) return
    clearTimeout(this.#timer)
    this.#due = deadline
    this.#timer = setTimeout(this.#fire, Math.max(1, deadline - performance.now())).unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#passed)
    this.#due = Number.POSITIVE_INFINITY
  }

  // The gateway itself may have been blocked: answers that wait in the sockets are read first.
  readonly #fire = () => {
    this.#passed = setImmediate(() => {
      this.#due = Number.POSITIVE_INFINITY
      this.#expire()
    })
  }
}
