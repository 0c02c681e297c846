import { asciiLowerCase } from '../model/ascii.ts'
import { type CompiledPolicy, type CompiledStatement, compilePolicy, mismatch, type Question } from './compile.ts'
import { isRoot, type NamedAs } from './principals.ts'
import type { AccessRequest, Decision, FittingGrant, Policies } from './request.ts'

/** The verdicts of the policies on a request. */
export interface Verdicts {
  /** Whether the resource belongs to the caller's account; `none` if the caller is a service, which has none. */
  readonly account: 'own' | 'other' | 'none'
  /**
   * Of the resource's policy or of a grant. `allows account`: the caller's identity-based policies decide, as they do for each caller of
   * another account that a policy names.
   */
  readonly resource: 'denies' | 'allows caller' | 'allows role' | 'allows account' | 'silent' | 'no policy'
  readonly identity: 'denies' | 'allows' | 'silent'
  /** `allows` if there is no permissions boundary. */
  readonly boundary: 'denies' | 'allows' | 'silent'
  /** `allows` if there is no session policy. */
  readonly session: 'denies' | 'allows' | 'silent'
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
const noIdentity = 'because no identity-based policy allows the {action} action'
const noResource = 'because no resource-based policy allows the {action} action'
const noBoundary = 'because no permissions boundary allows the {action} action'
const noSession = 'because no session policy allows the {action} action'

/**
 * The first matching row decides, as on AWS: KMS Developer Guide, "Determining access to KMS keys"; IAM User Guide, "Policy evaluation
 * logic".
 */
// biome-ignore format: a table
export const rows: readonly Row[] = [
  //   account  resource          identity  boundary  session
  row('any',   'any',            'denies', 'any',    'any',    'with an explicit deny in an identity-based policy'),
  row('any',   'any',            'any',    'denies', 'any',    'with an explicit deny in a permissions boundary'),
  row('any',   'any',            'any',    'any',    'denies', 'with an explicit deny in a session policy'),
  row('other', 'denies',         'any',    'any',    'any',    notShared),
  row('none',  'denies',         'any',    'any',    'any',    notShared),
  row('any',   'denies',         'any',    'any',    'any',    'with an explicit deny in a resource-based policy'),
  row('other', 'silent',         'any',    'any',    'any',    notShared),
  row('other', 'no policy',      'any',    'any',    'any',    notShared),
  row('none',  'silent',         'any',    'any',    'any',    notShared),
  row('none',  'no policy',      'any',    'any',    'any',    notShared),
  row('any',   'silent',         'any',    'any',    'any',    noResource),
  row('any',   'allows caller',  'any',    'any',    'any',    undefined),
  row('any',   'allows role',    'any',    'silent', 'any',    noBoundary),
  row('any',   'allows role',    'any',    'any',    'silent', noSession),
  row('any',   'allows role',    'any',    'any',    'any',    undefined),
  row('any',   'any',            'silent', 'any',    'any',    noIdentity),
  row('any',   'any',            'any',    'silent', 'any',    noBoundary),
  row('any',   'any',            'any',    'any',    'silent', noSession),
  row('any',   'any',            'any',    'any',    'any',    undefined),
]

function row(
  account: Row['account'],
  resource: Row['resource'],
  identity: Row['identity'],
  boundary: Row['boundary'],
  session: Row['session'],
  denied: Row['denied'],
): Row {
  return { account, resource, identity, boundary, session, denied }
}

/** Pure: no clock, no I/O. */
export function decide(request: AccessRequest, policies: Policies): Decision {
  const { verdicts, row, grant } = evaluate(request, policies)
  if (row.denied === undefined) return grant ? allowed(grantReason(grant)) : allowances[verdicts.resource]
  return {
    allowed: false,
    outcome: isExplicitDeny(verdicts) ? 'ExplicitDeny' : 'ImplicitDeny',
    because: row.denied.replace('{action}', () => request.action),
  }
}

function allowed(reason: string): Decision {
  return { allowed: true, outcome: 'Allow', reason }
}

const byIdentity = allowed('An identity-based policy allows the action.')
const byAccount = allowed(
  'The resource-based policy allows the action to the account, and an identity-based policy to the caller.',
)

/** By the verdict of the resource's policy, of which `denies` and `silent` allow nothing. */
const allowances: Readonly<Record<Verdicts['resource'], Decision>> = {
  'allows caller': allowed('The resource-based policy allows the action to the caller.'),
  'allows role': allowed("The resource-based policy allows the action to the caller's role."),
  'allows account': byAccount,
  'no policy': byIdentity,
  silent: byIdentity,
  denies: byIdentity,
}

/** That a grant allows the action, as a sentence. */
export function grantReason({ id, grantee }: FittingGrant): string {
  return `Grant ${id} allows the action to ${granteeNames[grantee]}.`
}

export const granteeNames: Readonly<Record<FittingGrant['grantee'], string>> = {
  caller: 'the caller',
  role: "the caller's role",
  account: "the caller's account",
}

function isExplicitDeny({ resource, identity, boundary, session }: Verdicts): boolean {
  return resource === 'denies' || identity === 'denies' || boundary === 'denies' || session === 'denies'
}

/** What decides a request. */
export interface Evaluation {
  readonly verdicts: Verdicts
  readonly row: Row
  /** The grant that was asked for. */
  readonly grant?: FittingGrant | undefined
}

/** The grant is asked for last: only a request that no policy denies and none allows needs one. */
export function evaluate(
  request: AccessRequest,
  policies: Policies,
  question: Question = questionOf(request, policies),
): Evaluation {
  const verdicts = verdictsOf(question, policies)
  const row = decidingRow(verdicts)
  if (row.denied === undefined || !policies.grant || isExplicitDeny(verdicts)) return { verdicts, row }
  const grant = policies.grant()
  if (!grant) return { verdicts, row }
  const granted = { ...verdicts, resource: stronger(verdicts.resource, `allows ${grant.grantee}`) }
  return { verdicts: granted, row: decidingRow(granted), grant }
}

/** From the one that helps least. */
const strengths: readonly Verdicts['resource'][] = ['silent', 'allows account', 'allows role', 'allows caller']

function stronger(one: Verdicts['resource'], other: Verdicts['resource']): Verdicts['resource'] {
  return strengths.indexOf(one) < strengths.indexOf(other) ? other : one
}

function decidingRow(verdicts: Verdicts): Row {
  const { account, resource, identity, boundary, session } = verdicts
  for (const row of rows) {
    if (
      fits(row.resource, resource) &&
      fits(row.identity, identity) &&
      fits(row.account, account) &&
      fits(row.boundary, boundary) &&
      fits(row.session, session)
    ) {
      return row
    }
  }
  throw new Error('no row fits')
}

function fits(given: string, verdict: string): boolean {
  return given === 'any' || given === verdict
}

function verdictsOf(question: Question, policies: Policies): Verdicts {
  const { request } = question
  const { identity, boundary, session, resource } = policies
  const account = relationOf(request)
  return {
    account,
    resource: resource
      ? resourceVerdict(compilePolicy(resource.text, resource.kind ?? 'resource'), question, account)
      : 'no policy',
    identity: identityVerdict(identity, question, isRoot(request.principal) ? 'allows' : 'silent'),
    boundary: boundary === undefined ? 'allows' : policyVerdict(boundary, question),
    session: session === undefined ? 'allows' : identityVerdict(session, question, 'silent'),
  }
}

/** Whether the resource belongs to the caller's account. */
export function relationOf({ principal, account }: Pick<AccessRequest, 'principal' | 'account'>): Verdicts['account'] {
  if (principal.service !== undefined) return 'none'
  return account === principal.account ? 'own' : 'other'
}

/** The request as it is put to each statement. */
export function questionOf(request: AccessRequest, { resource, boundary }: Policies): Question {
  return {
    request,
    action: asciiLowerCase(request.action),
    ids: resource?.principalIds,
    bounded: boundary !== undefined,
  }
}

/** @param otherwise if no policy says anything: the root user of an account may do everything in it */
function identityVerdict(
  texts: readonly string[],
  question: Question,
  otherwise: 'allows' | 'silent',
): Verdicts['identity'] {
  let verdict: Verdicts['identity'] = otherwise
  for (const text of texts) {
    const one = policyVerdict(text, question)
    if (one === 'denies') return one
    if (one === 'allows') verdict = one
  }
  return verdict
}

function policyVerdict(text: string, question: Question): Verdicts['identity'] {
  const policy = compilePolicy(text, 'identity')
  if (policy.unreadable !== undefined || anyApplies(policy.denies, question)) return 'denies'
  return anyApplies(policy.allows, question) ? 'allows' : 'silent'
}

function anyApplies(statements: readonly CompiledStatement[], question: Question): boolean {
  for (const statement of statements) if (mismatch(statement, question) === undefined) return true
  return false
}

function resourceVerdict(
  policy: CompiledPolicy,
  question: Question,
  account: Verdicts['account'],
): Verdicts['resource'] {
  if (policy.unreadable !== undefined || anyApplies(policy.denies, question)) return 'denies'
  let verdict: Verdicts['resource'] = 'silent'
  for (const statement of policy.allows) {
    if (mismatch(statement, question) !== undefined) continue
    if (account === 'other') return 'allows account'
    verdict = stronger(verdict, `allows ${namedBy(statement, question)!}`)
    if (verdict === 'allows caller') return verdict
  }
  return verdict
}

/** How a statement of a resource's policy names the caller. */
export function namedBy(statement: CompiledStatement, { request, ids, bounded }: Question): NamedAs | undefined {
  return statement.principal?.(request.principal, ids, bounded)
}
