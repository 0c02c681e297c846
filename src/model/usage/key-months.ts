/** For how long keys exist: AWS KMS pricing, "Key storage". Times are milliseconds since the epoch; months are those of UTC. */

import { hoursOfMonth, type Period } from './periods.ts'

/** When a key is charged for. */
export interface KeyLife {
  readonly createdAt: number
  /** When its deletion was scheduled, as a key is free from then on; undefined while it is not. If that is cancelled, it never was. */
  readonly endsAt: number | undefined
  /** In order. */
  readonly rotatedAt: readonly number[]
}

const hour = 60 * 60 * 1000

/**
 * Months that are charged for a key in a period within a month: one for itself, and one for each of its first rotations. A part is as many of
 * the hours of the month as have begun.
 */
export function keyMonths({ createdAt, endsAt, rotatedAt }: KeyLife, period: Period, chargedRotations: number): number {
  const end = Math.min(endsAt ?? period.end, period.end)
  const starts = [createdAt, ...rotatedAt.slice(0, chargedRotations)]
  // A replica of a multi-Region key has the rotations from before its own creation.
  const begin = Math.max(createdAt, period.start)
  const hours = starts.reduce((sum, start) => sum + hoursBetween(Math.max(start, begin), end), 0)
  return hours / hoursOfMonth(period.start)
}

function hoursBetween(start: number, end: number): number {
  return start < end ? Math.ceil(end / hour) - Math.floor(start / hour) : 0
}
