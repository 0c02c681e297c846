import type { Caller } from '../model/identities/caller.ts'
import { globMatches } from './glob.ts'
import { parsePolicyDocument, type Statement } from './policy-document.ts'

/** Sources of condition keys, besides the caller: see condition-keys.ts. Policies with conditions are refused until they are evaluated. */
export interface RequestContext {
  readonly sourceAddress: string
  readonly userAgent: string | undefined
  /** Whether the request came over TLS. */
  readonly secure: boolean
  /** Milliseconds since the epoch. */
  readonly startedAt: number
}

/** The action and resource of a request. */
export interface AccessRequest {
  readonly caller: Caller
  readonly action: string
  /** ARN, or `*` for operations that act on no resource. */
  readonly resource: string
  /** Shown in a denial instead of `resource`. */
  readonly named?: string | undefined
  /** Account that owns the resource. */
  readonly account: string
  /** Text of the key policy; absent if only identity-based policies decide. */
  readonly resourcePolicy?: string | undefined
  /** Absent for a hypothetical request. */
  readonly context?: RequestContext
}

export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly message: string }

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
export function authorize(request: AccessRequest): Decision {
  const { caller, action, resource, named = resource } = request
  const { denied } = decidingRow(verdictsOf(request))
  if (denied === undefined) return allowed
  const what = `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${named}`
  return { allowed: false, message: `${what} ${denied.replace('{action}', action)}` }
}

const allowed: Decision = { allowed: true }

function decidingRow({ account, identity, resource }: Verdicts): Row {
  for (const row of rows) {
    if (fits(row.account, account) && fits(row.identity, identity) && fits(row.resource, resource)) return row
  }
  throw new Error('no row fits')
}

function fits(given: string, verdict: string): boolean {
  return given === 'any' || given === verdict
}

function verdictsOf({ caller, account, action, resource, resourcePolicy }: AccessRequest): Verdicts {
  const asked = { action: action.toLowerCase(), resource, caller }
  return {
    account: account === caller.account ? 'own' : 'other',
    identity: identityVerdict(asked),
    resource: resourcePolicy === undefined ? 'no policy' : resourceVerdict(asked, resourcePolicy),
  }
}

/** What statements are matched against. The action is in lower case. */
type Asked = Pick<AccessRequest, 'action' | 'resource' | 'caller'>

function identityVerdict(asked: Asked): Verdicts['identity'] {
  let verdict: Verdicts['identity'] = 'silent'
  for (const text of asked.caller.policies) {
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
    const named = namedBy(statement, asked.caller)
    if (!named) continue
    if (statement.effect === 'Deny') return 'denies'
    if (verdict !== 'allows caller') verdict = named
  }
  return verdict
}

function covers({ actions, resources }: Statement, { action, resource }: Asked): boolean {
  return actions.some(p => globMatches(p, action)) && resources.some(p => globMatches(p, resource))
}

function namedBy({ principals = [] }: Statement, caller: Caller): 'allows caller' | 'allows account' | undefined {
  if (principals.some(name => name === '*' || name === caller.arn)) return 'allows caller'
  const { account } = caller
  return principals.some(name => name === account || isAccountPrincipal(name, account)) ? 'allows account' : undefined
}

function isAccountPrincipal(name: string, account: string): boolean {
  return name.endsWith(`:iam::${account}:root`)
}
