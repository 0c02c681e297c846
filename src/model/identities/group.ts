import type { AttachedPolicies, Owner } from './policy.ts'

/** An IAM group: its policies are those of each of its users. It is no principal. */
export interface Group extends AttachedPolicies {
  /** With its path, for example `arn:aws:iam::111122223333:group/division/developers`. */
  readonly arn: string
  /** 12 digits. */
  readonly account: string
  /** Without a path. Unique in the account, without regard to case. */
  readonly name: string
  /** IAM unique id, `AGPA...` */
  readonly groupId: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly owner?: Owner | undefined
  readonly revision: number
}
