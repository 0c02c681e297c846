/** One timer for many deadlines: a timer for each would outlive the call that it was set for, and keep all of it in memory. */

export class DeadlineTimer {
  readonly #expire: () => void
  #timer: NodeJS.Timeout | undefined
  #due = Number.POSITIVE_INFINITY

  /** @param expire called when the earliest deadline has passed; it tells of what is left by `watch` */
  constructor(expire: () => void) {
    this.#expire = expire
  }

  /** Sees to it that `expire` is called at the deadline: performance.now(). */
  watch(deadline: number): void {
    if (deadline >= this.#due) return
    clearTimeout(this.#timer)
    this.#due = deadline
    this.#timer = setTimeout(this.#fire, Math.max(1, deadline - performance.now())).unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#due = Number.POSITIVE_INFINITY
  }

  // The gateway itself may have been held up: answers that lie in the sockets are read before anything is judged.
  readonly #fire = () =>
    setImmediate(() => {
      this.#due = Number.POSITIVE_INFINITY
      this.#expire()
    })
}
