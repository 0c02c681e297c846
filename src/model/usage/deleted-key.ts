/** Keys that storage has forgotten, or is to forget. Times are milliseconds since the epoch. */
import type { Key } from '../keys/key.ts'

/** A key that is gone, as the record of its deletion describes it. */
export interface FormerKey {
  readonly spec: string
  readonly createdAt: number
  readonly rotatedAt: readonly number[]
}

/** A key that was deleted, or is to be. */
export interface DeletedKey {
  readonly keyArn: string
  /** Absent if there is no record of it. */
  readonly scheduledAt: number | undefined
  readonly deletedAt: number | undefined
  /** Absent before, and if its record is that of an older version. */
  readonly key: FormerKey | undefined
}

/** What the record of a deletion says of the key: enough to count its months. Dates are ISO 8601. */
export function recordedKey({ spec, creationDate, materials }: Key) {
  return {
    keySpec: spec,
    creationDate: new Date(creationDate).toISOString(),
    rotationDates: materials.flatMap(({ rotation }) => (rotation ? [new Date(rotation.date).toISOString()] : [])),
  }
}

/** Reads `recordedKey`. */
export function formerKeyIn(recorded: unknown): FormerKey | undefined {
  const { keySpec, creationDate, rotationDates = [] } = (recorded ?? {}) as Partial<ReturnType<typeof recordedKey>>
  if (keySpec === undefined || creationDate === undefined) return undefined
  return {
    spec: keySpec,
    createdAt: Date.parse(creationDate),
    rotatedAt: rotationDates.map(date => Date.parse(date)),
  }
}
