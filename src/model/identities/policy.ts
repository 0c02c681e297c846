/** A policy embedded in one user, role or group. */
export interface InlinePolicy {
  /** Unique within its user, role or group. */
  readonly name: string
  /** JSON text. */
  readonly document: string
}

/** A customer managed policy: IAM User Guide, "Managed policies and inline policies". */
export interface ManagedPolicy {
  /** With its path, for example `arn:aws:iam::111122223333:policy/service/backup`. */
  readonly arn: string
  /** 12 digits. */
  readonly account: string
  /** Without a path. Unique in the account, without regard to case. */
  readonly name: string
  /** IAM unique id, `ANPA...` */
  readonly policyId: string
  /** JSON text. */
  readonly document: string
  readonly description?: string | undefined
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly owner?: Owner | undefined
  readonly revision: number
}

/** What keeps a record as it is: `file`, the one that `strongroom identity apply` reads. Absent: changed by hand. */
export type Owner = 'file'

/** The policies attached to a user, role or group. */
export interface AttachedPolicies {
  readonly inlinePolicies: readonly InlinePolicy[]
  /** ARNs, of AWS managed policies too. */
  readonly managedPolicies: readonly string[]
}
