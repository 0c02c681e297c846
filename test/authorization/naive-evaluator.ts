import { isConditionMet } from './naive-conditions.ts'
import {
  type Context,
  glob,
  listOf,
  type OneOrMore,
  type Policy,
  type Principals,
  type Statement,
  substitute,
  valuesOf,
} from './naive-text.ts'

/**
 * A second reading of the rules by which AWS decides, to compare the policy engine with. It interprets the JSON as it stands, shares no code with the
 * engine, builds regular expressions, and is slow. Each rule names where it is documented: IAM = IAM User Guide, KMS = KMS Developer Guide.
 */

export type Outcome = 'Allow' | 'ExplicitDeny' | 'ImplicitDeny'

/** What `strongroom policy simulate` reads in a line. */
export interface Question {
  readonly request: {
    /** ARN of the root user, a user, an assumed-role session, a federated user or, for a web identity, its provider; name of a service. */
    readonly principal: string
    readonly action: string
    /** An ARN, or `*`. */
    readonly resource: string
    readonly context?: Context
  }
  readonly resourcePolicy?: Policy
  readonly identityPolicies?: readonly Policy[]
  readonly permissionsBoundary?: Policy
  readonly sessionPolicy?: Policy
}

/** Whom a grant that fits the request names: the caller's own user or session, its role, or its account. */
export type Grantee = 'caller' | 'role' | 'account'

export function evaluate(question: Question, grantee?: Grantee): Outcome {
  if (policiesOf(question).some(policy => has('Deny', policy, question))) return 'ExplicitDeny'
  return isAllowed(question, grantee) ? 'Allow' : 'ImplicitDeny'
}

function policiesOf({ resourcePolicy, identityPolicies = [], permissionsBoundary, sessionPolicy }: Question): Policy[] {
  return [resourcePolicy, ...identityPolicies, permissionsBoundary, sessionPolicy].filter(
    policy => policy !== undefined,
  )
}

/** Whether a policy has a statement of this effect that matches the request. */
function has(effect: Statement['Effect'], policy: Policy, question: Question): boolean {
  return listOf(policy.Statement).some(statement => statement.Effect === effect && matches(statement, policy, question))
}

function isAllowed(question: Question, grantee: Grantee | undefined): boolean {
  const { request, resourcePolicy } = question
  const byIdentity = (isRoot(request.principal) || allowsAsIdentity(question)) && isWithinLimits(question)
  const isOwn = ['', accountOf(request.principal)].includes(accountOf(request.resource))
  // Nothing but a resource policy gives access across accounts. A key without one does not exist: KMS, Key policies.
  if (!resourcePolicy && !alwaysHasPolicy(request)) return isOwn && byIdentity && !isService(request.principal)
  if (grantee && isAllowedByGrant(grantee, question, byIdentity)) return true

  const named = namedBy(question)
  // IAM, AWS service principals: a service belongs to no account, so nothing but the resource's own policy has to allow it.
  if (isService(request.principal)) return named.size > 0
  // IAM, Cross-account policy evaluation logic; KMS, Allowing users in other accounts to use a KMS key: both accounts must allow.
  if (!isOwn) return named.size > 0 && byIdentity
  // IAM, Policy evaluation logic, Resource-based policies: a user or a session that is named is not limited by an implicit deny, a role is.
  // IAM, Principal, IAM role principals: nor is whom the wildcard names.
  if (named.has('everyone') || named.has('caller')) return true
  if (named.has('role') || named.has('role of provider')) return isWithinLimits(question)
  // KMS, Default key policy: the account principal lets IAM policies allow, and allows nothing itself.
  return named.has('account') && byIdentity
}

/** KMS, Grants: a grant allows by itself what no policy denies, also across accounts. One to an account leaves it to the account's IAM policies. */
function isAllowedByGrant(grantee: Grantee, question: Question, byIdentity: boolean): boolean {
  if (grantee === 'account') return byIdentity
  return grantee === 'caller' || isWithinLimits(question)
}

function allowsAsIdentity(question: Question): boolean {
  return (question.identityPolicies ?? []).some(policy => has('Allow', policy, question))
}

/** IAM, Permissions boundaries; IAM, Policies and permissions, Session policies: they allow nothing, but what they do not allow is denied. */
function isWithinLimits(question: Question): boolean {
  return [question.permissionsBoundary, question.sessionPolicy].every(limit => !limit || has('Allow', limit, question))
}

/** As whom the Allow statements of the resource policy name the caller. */
function namedBy(question: Question): Set<string> {
  const policy = question.resourcePolicy
  const allows = policy ? listOf(policy.Statement).filter(statement => statement.Effect === 'Allow') : []
  const matching = allows.filter(statement => matches(statement, policy!, question))
  return new Set(
    matching.flatMap(({ Principal }) => (Principal === undefined ? ['everyone'] : namesIn(Principal, question))),
  )
}

/** Whether a statement of a policy of the question matches its request. */
export function matches(statement: Statement, policy: Policy, question: Question): boolean {
  return (
    isPrincipalMet(statement, policy, question) &&
    isActionMet(statement, question.request.action) &&
    isResourceMet(statement, policy, question) &&
    isConditionMet(statement, policy, question.request.context ?? {})
  )
}

function isPrincipalMet(statement: Statement, policy: Policy, question: Question): boolean {
  if (policy !== question.resourcePolicy) return true
  if (statement.Principal !== undefined) return namesIn(statement.Principal, question).length > 0
  if (statement.NotPrincipal === undefined) return false
  const named = namesIn(statement.NotPrincipal, question)
  if (statement.Effect === 'Allow') return named.length === 0
  // IAM, NotPrincipal, and Permissions boundaries, Important: it denies whoever has a boundary, listed or not.
  if (question.permissionsBoundary) return true
  // IAM, NotPrincipal with Deny: the account, the role and the session must all be listed.
  return !named.includes('everyone') && !principalsOf(question.request.principal).every(({ as }) => named.includes(as))
}

/** As whom a Principal element names the caller: `everyone`, `account`, `role`, `caller`; none if it does not. */
function namesIn(principals: Principals, { request }: Question): string[] {
  const { AWS = [], Service = [], Federated = [] } = principals === '*' ? { AWS: '*' } : principals
  // IAM, Principal: services and web identities are named by elements of their own, and by the wildcard.
  const outsiders = isService(request.principal) ? Service : isProvider(request.principal) ? Federated : undefined
  if (outsiders !== undefined) {
    if (listOf(AWS).includes('*')) return ['everyone']
    return listOf(outsiders).some(name => isNamed(request.principal, name, request.resource)) ? ['caller'] : []
  }
  // IAM, Web identity session principals: the provider stands for the sessions that began with it. It names no session, so its limits hold.
  const provider = valuesOf('aws:FederatedProvider', request.context ?? {})[0]
  const isOfProvider = request.principal.includes(':assumed-role/') && provider && listOf(Federated).includes(provider)
  const listed = listOf(AWS)
  return [...(isOfProvider ? ['role of provider'] : []), ...namesOf(listed, request)]
}

function namesOf(listed: readonly string[], { principal: caller, resource }: Question['request']): string[] {
  // docs/policies.md, Differences from AWS: roles are in every partition, as their principals are.
  const compared = (arn: string) => (isRole(resource) ? arn.replace(/^arn:[^:]+:/, '') : arn)
  return listed.flatMap(principal => {
    if (principal === '*') return ['everyone']
    return principalsOf(caller)
      .filter(({ arn }) => compared(arn) === compared(principal) || (isRoot(arn) && accountOf(arn) === principal))
      .map(({ as }) => as)
  })
}

/** The principals that a caller is: its account, its role if it is a session of one, and itself. The root user is named by its account. */
function principalsOf(caller: string): { arn: string; as: string }[] {
  const [, partition, , , account, ...rest] = caller.split(':')
  const [kind, role] = rest.join(':').split('/')
  const itself = { arn: caller, as: 'caller' }
  if (kind === 'root' || isService(caller) || isProvider(caller)) return [itself]
  return [
    { arn: `arn:${partition}:iam::${account}:root`, as: 'account' },
    ...(kind === 'assumed-role' ? [{ arn: `arn:${partition}:iam::${account}:role/${role}`, as: 'role' }] : []),
    itself,
  ]
}

/** IAM, Action: letter case does not matter. A statement without Action has no effect (KMS, Key policies, Elements). */
function isActionMet({ Action, NotAction }: Statement, action: string): boolean {
  const among = (actions: OneOrMore<string>) => listOf(actions).some(pattern => glob(pattern, 'i').test(action))
  if (Action !== undefined) return among(Action)
  return NotAction !== undefined && !among(NotAction)
}

/** IAM, Resource: letter case matters. A statement without Resource has no effect (KMS, Key policies, Elements). */
function isResourceMet({ Resource, NotResource }: Statement, policy: Policy, question: Question): boolean {
  const { request } = question
  const listed = Resource ?? NotResource
  // IAM, Creating a role: the resource of a trust policy is the role to which it belongs.
  if (policy === question.resourcePolicy && isRole(request.resource)) return true
  if (listed === undefined) return false
  const patterns = listOf(listed).map(text => substitute(text, policy, request.context ?? {}))
  if (patterns.includes(undefined)) return false
  const among = patterns.some(pattern => glob(pattern!).test(request.resource))
  return Resource !== undefined ? among : !among
}

function isService(caller: string): boolean {
  return !caller.startsWith('arn:')
}

function isProvider(arn: string): boolean {
  return /:oidc-provider\//.test(arn)
}

/** IAM, aws:PrincipalServiceNamesList: a service has a name for each region, too. */
function isNamed(caller: string, name: string, resource: string): boolean {
  const region = resource.split(':')[3]
  return name === caller || (isService(caller) && name === caller.replace('.amazonaws.com', `.${region}.amazonaws.com`))
}

function isRoot(arn: string): boolean {
  return arn.endsWith(':root')
}

/** A KMS key, and a role when it is to be assumed. */
function alwaysHasPolicy({ action, resource }: Question['request']): boolean {
  return glob('arn:*:kms:*:*:key/*').test(resource) || (isRole(resource) && action.startsWith('sts:'))
}

function isRole(resource: string): boolean {
  return glob('arn:*:iam::*:role/*').test(resource)
}

function accountOf(arn: string): string {
  return arn.split(':')[4] ?? ''
}
