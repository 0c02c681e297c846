import type { Owner } from './policy.ts'

/** An AWS account whose users and roles are known here. */
export interface Account {
  /** 12 digits. */
  readonly id: string
  readonly name?: string | undefined
  /** Milliseconds since the epoch; absent if a version created it that did not record it. */
  readonly createdAt?: number | undefined
  readonly owner?: Owner | undefined
  readonly revision: number
}
