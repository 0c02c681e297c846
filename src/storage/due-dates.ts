const day = 24 * 60 * 60 * 1000

/** Records by a date that some of them have, so that those that are due are found without a look at all the others. */
export class DueDates<R> {
  readonly #dateOf: (record: R) => number | undefined
  readonly #byDay = new Map<number, Set<R>>()

  /** @param dateOf milliseconds since the epoch; of one record always the same */
  constructor(dateOf: (record: R) => number | undefined) {
    this.#dateOf = dateOf
  }

  add(record: R): void {
    const date = this.#dateOf(record)
    if (date === undefined) return
    const records = this.#byDay.get(dayOf(date))
    if (records) records.add(record)
    else this.#byDay.set(dayOf(date), new Set([record]))
  }

  delete(record: R): void {
    const date = this.#dateOf(record)
    if (date === undefined) return
    const records = this.#byDay.get(dayOf(date))
    records?.delete(record)
    if (records?.size === 0) this.#byDay.delete(dayOf(date))
  }

  /** Whose date is not after `now`, in the order of days. */
  until(now: number): readonly R[] {
    const last = dayOf(now)
    const days = [...this.#byDay.keys()].filter(day => day <= last).sort((one, other) => one - other)
    const due: R[] = []
    for (const day of days) {
      for (const record of this.#byDay.get(day)!) if (day < last || this.#dateOf(record)! <= now) due.push(record)
    }
    return due
  }
}

function dayOf(date: number): number {
  return Math.floor(date / day)
}
