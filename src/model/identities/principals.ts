import { parsePrincipal, principalArn } from '../arn.ts'
import type { Principal } from './principal.ts'

/** The users and roles of all accounts. */
export interface Principals {
  find(arn: string): Principal | undefined
  withId(principalId: string): Principal | undefined
  /** Whatever its path and the partition in which it was created. */
  named(account: string, type: Principal['type'], name: string): Principal | undefined
  /** Policies and grants may name users and roles that do not exist: in emulator mode. */
  readonly acceptsUnknown?: boolean
  /** Whether the account has any users or roles. */
  isKnown(account: string): boolean
}

/** What the name of a principal in a key policy or grant stands for. */
export interface NamedPrincipal {
  /** 12 digits. */
  readonly account: string
  /**
   * Unique id of the user or role, that of a role session followed by a colon and its name: as in RequestPrincipal. Absent for an account, a
   * federated user, and principals of accounts that have none here.
   */
  readonly id?: string
}

/**
 * Finds the principal that a policy or grant names, as an ARN, the number of an account or a unique id. Undefined if that is none, or does
 * not exist in an account that has principals here. IAM User Guide, "AWS JSON policy elements: Principal".
 *
 * @param partition of the key: on AWS an account belongs to one partition, here it has the same principals in each
 */
export function namedPrincipal(name: string, partition: string, principals: Principals): NamedPrincipal | undefined {
  const byId = principals.withId(name)
  if (byId) return { account: byId.account, id: byId.principalId }
  const parsed = parsePrincipal(/^\d{12}$/.test(name) ? principalArn(partition, name, 'root') : name, partition)
  if (parsed === undefined) return undefined
  const { type, account, path = '', session } = parsed
  if (type === 'root' || type === 'federated-user' || !principals.isKnown(account)) return { account }
  const found = principals.named(account, type === 'user' ? 'user' : 'role', parsed.name)
  if (found === undefined) return principals.acceptsUnknown ? { account } : undefined
  if (session !== undefined) return { account, id: `${found.principalId}:${session}` }
  return found.arn.endsWith(`:${type}/${path}${found.name}`) ? { account, id: found.principalId } : undefined
}
