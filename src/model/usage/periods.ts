/** Days and months, of UTC. */

/** Milliseconds since the epoch. */
export interface Period {
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

/** A day or a month, or as much of it as is asked about. */
export interface UsagePeriod extends Period {
  /** YYYY-MM. */
  readonly month: string
  /** YYYY-MM-DD; empty for a month. */
  readonly day: string
  /** First and last day, YYYY-MM-DD. */
  readonly from: string
  readonly to: string
}

const hour = 60 * 60 * 1000
const dayLength = 24 * hour

/** YYYY-MM-DD. @param time milliseconds since the epoch */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

/** The days of a range, or its months, in order. */
export function periodsBetween(from: string, to: string, unit: 'day' | 'month'): readonly UsagePeriod[] {
  const periods: UsagePeriod[] = []
  const end = Date.parse(to) + dayLength
  for (let start = Date.parse(from); start < end; start = periods.at(-1)!.end) {
    const next = Math.min(end, unit === 'day' ? start + dayLength : startOfMonth(start, 1))
    const day = dayOf(start)
    periods.push({
      start,
      end: next,
      month: day.slice(0, 'YYYY-MM'.length),
      day: unit === 'day' ? day : '',
      from: day,
      to: dayOf(next - 1),
    })
  }
  return periods
}

/** Of the month in which a time is. */
export function hoursOfMonth(time: number): number {
  return (startOfMonth(time, 1) - startOfMonth(time)) / hour
}

/** @param later months after that of the time */
function startOfMonth(time: number, later = 0): number {
  const date = new Date(time)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later)
}
