import { globMatches } from './glob.ts'
import { parsePolicyDocument, type Statement } from './policy-document.ts'
import type { AccessRequest, Decision, Policies, RequestPrincipal } from './request.ts'

/** The verdicts of the policies on a request. */
export interface Verdicts {
  /** Whether the resource belongs to the caller's account. */
  readonly account: 'own' | 'other'
  /** Of the identity-based policies. */
  readonly identity: 'denies' | 'allows' | 'silent'
  /** Of the resource's policy: whether it allows the caller, or the account, so that the identity-based policies decide. */
  readonly resource: 'denies' | 'allows caller' | 'allows account' | 'silent' | 'no policy'
}

type Any<V> = { readonly [K in keyof V]: V[K] | 'any' }

/** Matches if each verdict matches. */
export interface Row extends Any<Verdicts> {
  /** Why the request is denied; undefined if it is allowed. */
  readonly denied: string | undefined
}

/** The same message whether the key is missing or not shared, so that another account cannot distinguish them. */
const notShared =
  'because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access'

/**
 * The first matching row decides, as on AWS: KMS Developer Guide, "Determining access to KMS keys"; IAM User Guide, "Policy evaluation
 * logic".
 */
// biome-ignore format: a table
export const rows: readonly Row[] = [
  //   account  identity  resource
  row('any',   'denies', 'any',           'with an explicit deny in an identity-based policy'),
  row('other', 'any',    'denies',        notShared),
  row('other', 'any',    'silent',        notShared),
  row('other', 'any',    'no policy',     notShared),
  row('any',   'any',    'denies',        'with an explicit deny in a resource-based policy'),
  row('any',   'any',    'silent',        'because no resource-based policy allows the {action} action'),
  row('own',   'any',    'allows caller', undefined),
  row('any',   'silent', 'any',           'because no identity-based policy allows the {action} action'),
  row('any',   'allows', 'any',           undefined),
]

function row(
  account: Row['account'],
  identity: Row['identity'],
  resource: Row['resource'],
  denied: Row['denied'],
): Row {
  return { account, identity, resource, denied }
}

/** Pure: no clock, no I/O. */
export function decide(request: AccessRequest, policies: Policies): Decision {
  const { denied } = decidingRow(verdictsOf(request, policies))
  if (denied === undefined) return allowed
  const outcome = denied.includes('explicit deny') ? 'ExplicitDeny' : 'ImplicitDeny'
  return { allowed: false, outcome, because: denied.replace('{action}', request.action) }
}

const allowed: Decision = { allowed: true, outcome: 'Allow' }

function decidingRow({ account, identity, resource }: Verdicts): Row {
  for (const row of rows) {
    if (fits(row.account, account) && fits(row.identity, identity) && fits(row.resource, resource)) return row
  }
  throw new Error('no row fits')
}

function fits(given: string, verdict: string): boolean {
  return given === 'any' || given === verdict
}

function verdictsOf({ principal, account, action, resource }: AccessRequest, policies: Policies): Verdicts {
  const asked = { action: action.toLowerCase(), resource, principal }
  return {
    account: account === principal.account ? 'own' : 'other',
    identity: identityVerdict(asked, policies.identity),
    resource: policies.resource === undefined ? 'no policy' : resourceVerdict(asked, policies.resource.text),
  }
}

/** What statements are matched against. The action is in lower case. */
type Asked = Pick<AccessRequest, 'action' | 'resource' | 'principal'>

function identityVerdict(asked: Asked, policies: readonly string[]): Verdicts['identity'] {
  let verdict: Verdicts['identity'] = 'silent'
  for (const text of policies) {
    for (const statement of parsePolicyDocument(text, 'identity').statements) {
      if (!covers(statement, asked)) continue
      if (statement.effect === 'Deny') return 'denies'
      verdict = 'allows'
    }
  }
  return verdict
}

function resourceVerdict(asked: Asked, policy: string): Verdicts['resource'] {
  let verdict: Verdicts['resource'] = 'silent'
  for (const statement of parsePolicyDocument(policy, 'key').statements) {
    if (!covers(statement, asked)) continue
    const named = namedBy(statement, asked.principal)
    if (!named) continue
    if (statement.effect === 'Deny') return 'denies'
    if (verdict !== 'allows caller') verdict = named
  }
  return verdict
}

function covers({ actions, resources }: Statement, { action, resource }: Asked): boolean {
  return actions.some(p => globMatches(p, action)) && resources.some(p => globMatches(p, resource))
}

function namedBy(
  { principals = [] }: Statement,
  { arn, account }: RequestPrincipal,
): 'allows caller' | 'allows account' | undefined {
  if (principals.some(name => name === '*' || name === arn)) return 'allows caller'
  return principals.some(name => name === account || isAccountPrincipal(name, account)) ? 'allows account' : undefined
}

function isAccountPrincipal(name: string, account: string): boolean {
  return name.endsWith(`:iam::${account}:root`)
}
