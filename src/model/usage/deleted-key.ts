/** Keys that storage has forgotten, or is to forget. Times are milliseconds since the epoch. */

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
