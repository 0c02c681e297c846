import { isNameOf } from '../model/identities/service-names.ts'
import type { PolicyKind, Principals } from './grammar.ts'
import type { RequestPrincipal } from './request.ts'

/**
 * Which of a caller's principals a statement names: IAM User Guide, "AWS JSON policy elements: Principal" and "NotPrincipal". A caller is
 * several principals at once: its account, and its user; or its account, its role, its session and the identity provider behind it. A service or a
 * web identity is one only, and belongs to no account that a statement could name.
 */

/** Sets of a caller's principals, as bits. */
const nobody = 0
const theAccount = 1
const theRole = 2
/** The user, the role session, the federated user, the service or the web identity. */
const theCaller = 4
/** The identity provider of a role session: like its role, it does not escape the limits of the session. */
const theProvider = 8

/** How a statement names a caller, the narrowest way of several. */
export type NamedAs = 'caller' | 'role' | 'account'

/** Returns how the statement names the caller; undefined if it does not apply to it. */
export type PrincipalMatcher = (principal: RequestPrincipal, ids: PrincipalIds, bounded: boolean) => NamedAs | undefined

/** See ResourcePolicy. */
export type PrincipalIds = Readonly<Record<string, string>> | undefined

/** @param kind of the policy */
export function compilePrincipals(
  { negated, ...listed }: Principals,
  effect: 'Allow' | 'Deny',
  kind: PolicyKind,
): PrincipalMatcher {
  const names = compileNames(listed, kind)
  if (!negated) return (principal, ids) => namedAs(named(names, principal, ids), principal)
  if (effect === 'Allow') {
    return (principal, ids) => (named(names, principal, ids) === nobody ? 'caller' : undefined)
  }
  // A Deny spares whoever is named by all principals, unless a permissions boundary is attached: IAM User Guide, "NotPrincipal".
  return (principal, ids, bounded) => {
    const own = ownOf(principal)
    return !bounded && (named(names, principal, ids) & own) === own ? undefined : 'caller'
  }
}

interface CompiledNames extends Pick<Principals, 'services' | 'federated'> {
  readonly everyone: boolean
  readonly accounts: readonly { readonly account: string; readonly partition: string }[]
  readonly arns: readonly { readonly written: string; readonly compared: string }[]
  /** Whether partitions make no difference, as for a role, which like all principals is in each partition. A key is in one. */
  readonly anyPartition: boolean
  /** Unique ids, which stand in a policy for principals that were deleted. */
  readonly ids: readonly string[]
}

const rootArn = /^(arn:[^:]+:)iam::(\d{12}):root$/
const uniqueId = /^A[A-Z]{3}[A-Z0-9]+(?::.+)?$/

function compileNames({ aws: names, ...others }: Omit<Principals, 'negated'>, kind: PolicyKind): CompiledNames {
  const anyPartition = kind === 'trust'
  const accounts = names.flatMap(name => {
    const [, partition = '', account = name] = rootArn.exec(name) ?? []
    return /^\d{12}$/.test(account) ? [{ account, partition: anyPartition ? '' : partition }] : []
  })
  const arns = names
    .filter(name => name.startsWith('arn:'))
    .map(written => ({ written, compared: anyPartition ? withoutPartition(written) : written }))
  const ids = names.filter(name => uniqueId.test(name))
  return { ...others, everyone: names.includes('*'), accounts, arns, anyPartition, ids }
}

/** The caller's principals that the names contain. A wildcard within a name is none: there is no such principal. */
function named(names: CompiledNames, principal: RequestPrincipal, known: PrincipalIds): number {
  const { everyone, accounts, arns, ids, federated, anyPartition } = names
  if (everyone) return theAccount | theRole | theCaller
  if (isOutsider(principal)) return namesOutsider(names, principal) ? theCaller : nobody
  let found = nobody
  for (const { account, partition } of accounts) {
    if (account === principal.account && principal.arn.startsWith(partition)) found |= theAccount
  }
  const own = anyPartition ? withoutPartition(principal.arn) : principal.arn
  const role = anyPartition && principal.roleArn ? withoutPartition(principal.roleArn) : principal.roleArn
  for (const { written, compared } of arns) {
    if (compared === role) {
      if (isSame(known?.[written], principal)) found |= theRole
    } else if (compared === own && isSame(known?.[written], principal)) {
      found |= theCaller
    }
  }
  for (const id of ids) {
    if (id === principal.principalId) found |= theCaller
    else if (isSame(id, principal)) found |= theRole
  }
  if (principal.federation && federated.includes(principal.federation.provider)) found |= theProvider
  return found
}

function withoutPartition(arn: string): string {
  return arn.slice(arn.indexOf(':', 'arn:'.length))
}

/** Of no account. */
function isOutsider({ service, provider }: RequestPrincipal): boolean {
  return service !== undefined || provider !== undefined
}

function namesOutsider({ services, federated }: CompiledNames, principal: RequestPrincipal): boolean {
  const { service, provider, region = '' } = principal
  if (service !== undefined) return services.some(name => isNameOf(name, service, region))
  return federated.includes(provider!)
}

/** Whether the caller is the principal that had this unique id when the policy was put. */
function isSame(id: string | undefined, { principalId }: RequestPrincipal): boolean {
  return id === undefined || id === principalId || principalId.startsWith(`${id}:`)
}

function ownOf(principal: RequestPrincipal): number {
  if (isOutsider(principal)) return theCaller
  if (isRoot(principal)) return theAccount
  const { roleArn } = principal
  if (roleArn === undefined) return theAccount | theCaller
  return roleArn === principal.arn ? theAccount | theRole : theAccount | theRole | theCaller
}

function namedAs(found: number, principal: RequestPrincipal): NamedAs | undefined {
  if (found & theCaller) return 'caller'
  if (found & (theRole | theProvider)) return 'role'
  if (found & theAccount) return isRoot(principal) ? 'caller' : 'account'
  return undefined
}

/** The root user has the ARN of its account. */
export function isRoot({ arn }: RequestPrincipal): boolean {
  return arn.endsWith(':root')
}
