/** Lets one call at a time change a token whose library does not bear that others use it meanwhile. */

export class ChangeTurns {
  readonly #isQuiet: () => boolean
  readonly #released: () => void
  /** Ends when all who came before have had their turn. */
  #turn: Promise<unknown> = Promise.resolve()
  #isHeld = false
  #quiet: (() => void) | undefined

  /**
   * @param isQuiet whether no call that reads the token is under way
   * @param released called when calls that were held back may go on
   */
  constructor(isQuiet: () => boolean, released: () => void) {
    this.#isQuiet = isQuiet
    this.#released = released
  }

  /** Calls that read the token are held back. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  /** Runs what does not bear a change, though it bears other calls. */
  withoutChange<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  /** Holds new calls back, lets the running ones end, and runs this one with the token to itself. */
  alone(work: () => Promise<void>): Promise<void> {
    return this.withoutChange(async () => {
      this.#isHeld = true
      try {
        if (!this.#isQuiet()) await new Promise<void>(resolve => (this.#quiet = resolve))
        await work()
      } finally {
        this.#quiet = undefined
        this.#isHeld = false
        this.#released()
      }
    })
  }

  /** To be called whenever a call has ended. */
  ended(): void {
    if (this.#quiet !== undefined && this.#isQuiet()) this.#quiet()
  }
}
