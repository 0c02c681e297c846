import type { Tag } from '../keys/key.ts'
import type { AttachedPolicies, Owner } from './policy.ts'

/** An IAM user or role of one account. */
export type Principal = User | Role

interface AnyPrincipal extends AttachedPolicies {
  /** With its path, for example `arn:aws:iam::111122223333:role/service/backup`. */
  readonly arn: string
  /** 12 digits. */
  readonly account: string
  /** Without a path. Unique among the users, or the roles, of the account, without regard to case. */
  readonly name: string
  /** IAM unique id, `AIDA...` or `AROA...`: never that of another principal, even one with the same name later. */
  readonly principalId: string
  /** ARN of the managed policy that limits what the identity-based policies allow. */
  readonly permissionsBoundary?: string | undefined
  readonly tags: readonly Tag[]
  /** Milliseconds since the epoch; absent if a version created it that did not record it. */
  readonly createdAt?: number | undefined
  /** Sessions that were issued then or before are invalid: milliseconds since the epoch. */
  readonly sessionsRevokedBefore?: number | undefined
  readonly owner?: Owner | undefined
  readonly revision: number
}

export interface User extends AnyPrincipal {
  readonly type: 'user'
  /** Names of groups of the same account. */
  readonly groups: readonly string[]
}

export interface Role extends AnyPrincipal {
  readonly type: 'role'
  readonly description?: string | undefined
  /** Who may assume the role: text of a resource-based policy. */
  readonly trustPolicy: string
  /** Unique ids of the principals that the trust policy named when it was put, by ARN: as Key.policyPrincipals. */
  readonly trustPrincipals?: Readonly<Record<string, string>> | undefined
  /** Seconds, from 3,600 to 43,200: the longest session. */
  readonly maxSessionDuration: number
}

/** Whether it is of that type. */
export function isOfType<T extends Principal['type']>(
  type: T,
  principal: Principal | undefined,
): principal is Extract<Principal, { type: T }> {
  return principal?.type === type
}
