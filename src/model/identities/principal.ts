import type { Tag } from '../keys/key.ts'

/** An IAM user or role of one account, with the identity-based policies attached to it. */
export interface Principal {
  readonly type: 'user' | 'role'
  /** With its path, for example `arn:aws:iam::111122223333:role/service/backup`. */
  readonly arn: string
  /** 12 digits. */
  readonly account: string
  /** Without a path. Unique among the users, or the roles, of the account. */
  readonly name: string
  /** IAM unique id, `AIDA...` or `AROA...`: never that of another principal, even one with the same name later. */
  readonly principalId: string
  /** Texts. */
  readonly policies: readonly string[]
  /** Text of the policy that limits what the identity-based policies allow. */
  readonly permissionsBoundary?: string | undefined
  readonly tags: readonly Tag[]
  readonly revision: number
}
