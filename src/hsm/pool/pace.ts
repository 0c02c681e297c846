/** The share of the latest sample in the average. */
const weight = 0.1

/**
 * How fast an HSM answers, by Little's law: calls under way, divided by the time that one takes. While it is overloaded, calls are refused
 * that would not be answered in time; once those under way are answered, the next one is tried again.
 */
export class Pace {
  /** Calls per millisecond; undefined before the first answer. */
  #rate: number | undefined

  /**
   * @param underWay calls when it was made, itself included
   * @param milliseconds until it was answered
   */
  answered(underWay: number, milliseconds: number): void {
    const sample = underWay / Math.max(milliseconds, Number.EPSILON)
    this.#rate = this.#rate === undefined ? sample : this.#rate + weight * (sample - this.#rate)
  }

  /** Milliseconds until that many calls are answered; 0 if nothing is known. */
  timeFor(underWay: number): number {
    return this.#rate === undefined ? 0 : underWay / this.#rate
  }
}
