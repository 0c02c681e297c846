import { type CompiledStatement, compilePolicy, type Mismatch, mismatch, type Question } from './compile.ts'
import { type Evaluation, evaluate, granteeNames, grantReason, namedBy, questionOf, relationOf } from './decide.ts'
import type { PolicyKind, Principals, Statement } from './grammar.ts'
import { isRoot } from './principals.ts'
import type { AccessRequest, FittingGrant, Policies } from './request.ts'

/** One reason of a decision. */
export interface Reason {
  readonly policy: 'identity' | 'boundary' | 'session' | 'resource' | 'grant'
  /** Of several identity-based or session policies: which one, from 0. */
  readonly index?: number
  readonly statement?: Pick<Statement, 'position' | 'sid' | 'effect'>
  /** Why the statement does not apply; absent if it does. */
  readonly failed?: Failed
  /** One sentence. */
  readonly text: string
}

/** The first element of a statement that does not match the request. */
export interface Failed {
  readonly element: 'Principal' | 'Action' | 'Resource' | 'Condition'
  /** Of a condition. */
  readonly operator?: string
  /** Condition key, or the name of a variable that has no value. */
  readonly key?: string
  /** Values of the policy. */
  readonly expected?: readonly string[]
  /** Values of the request; absent if it has none. */
  readonly actual?: readonly string[] | undefined
}

/** Statements that nearly allow are told up to this number, for each policy. */
const nearMisses = 10

/**
 * Why `decide` decides as it does, from the same matches of the same statements, the decisive reason first. For an explicit deny: the
 * statements that deny. Otherwise for each kind of policy that counts: that none allows, with the statements that would but for an element
 * other than Action; or the statements that allow.
 */
export function explain(request: AccessRequest, policies: Policies): readonly Reason[] {
  const question = { ...questionOf(request, policies), found: new Map() }
  const sides = sidesOf(request, policies)
  const denying = sides.flatMap(side => side.policies.flatMap(policy => deniedBy(policy, question)))
  if (denying.length > 0) return denying
  const evaluation = evaluate(request, policies, question)
  const counting = sides.filter(({ kind }) => counts(kind, evaluation))
  const allowing = counting.map(side => allowedBy(side, question, evaluation))
  const silent = counting.filter((_, index) => allowing[index]!.length === 0)
  const near = evaluation.row.denied === undefined || evaluation.grant ? undefined : policies.grant?.(true)
  return [...silent.flatMap(side => silenceOf(side, question)), ...(near ? [nearGrant(near)] : []), ...allowing.flat()]
}

function nearGrant(grant: FittingGrant): Reason {
  const text = `Grant ${grant.id} allows the action to ${granteeNames[grant.grantee]}, but its constraints do not fit the request.`
  return { policy: 'grant', text }
}

/** A policy, and where it stands. */
interface Place {
  readonly policy: Exclude<Reason['policy'], 'grant'>
  readonly index?: number
  readonly text: string
  readonly kind: PolicyKind
}

/** The policies of one kind, which together allow or do not. */
interface Side {
  readonly kind: Place['policy']
  readonly policies: readonly Place[]
}

const names = {
  resource: 'resource-based policy',
  identity: 'identity-based policy',
  boundary: 'permissions boundary',
  session: 'session policy',
} as const

function sidesOf(request: AccessRequest, { resource, identity, boundary, session }: Policies): readonly Side[] {
  const side = (policy: Place['policy'], texts: readonly string[], kind: PolicyKind = 'identity'): Side => {
    const numbered = policy === 'identity' || policy === 'session'
    return { kind: policy, policies: texts.map((text, index) => ({ policy, ...(numbered && { index }), text, kind })) }
  }
  const other = relationOf(request) !== 'own'
  return [
    ...(resource
      ? [side('resource', [resource.text], resource.kind ?? 'resource')]
      : other
        ? [side('resource', [])]
        : []),
    side('identity', identity),
    ...(boundary === undefined ? [] : [side('boundary', [boundary])]),
    ...(session === undefined ? [] : [side('session', session)]),
  ]
}

/** Whether a decision depends on what the policies of a kind allow: see the rows of decide.ts. */
function counts(kind: Place['policy'], { verdicts }: Evaluation): boolean {
  if (kind === 'resource') return true
  if (verdicts.resource === 'silent' || verdicts.resource === 'allows caller') return false
  if (verdicts.resource === 'no policy' && verdicts.account !== 'own') return false
  return kind !== 'identity' || verdicts.resource !== 'allows role'
}

function deniedBy(place: Place, question: Question): readonly Reason[] {
  const { denies, unreadable } = compilePolicy(place.text, place.kind)
  if (unreadable !== undefined) {
    return [reason(place, `${capitalized(title(place))} cannot be read and denies everything: ${unreadable}`)]
  }
  return denies
    .filter(statement => mismatch(statement, question) === undefined)
    .map(({ statement }) => statementReason(place, statement, 'denies the action.'))
}

function allowedBy(side: Side, question: Question, { grant }: Evaluation): readonly Reason[] {
  if (side.kind === 'resource' && grant) {
    return [{ policy: 'grant', text: grantReason(grant) }]
  }
  const allowing = side.policies.flatMap(place =>
    compilePolicy(place.text, place.kind)
      .allows.filter(statement => mismatch(statement, question) === undefined)
      .map(compiled => statementReason(place, compiled.statement, allowance(compiled, question))),
  )
  if (allowing.length > 0 || side.kind !== 'identity' || !isRoot(question.request.principal)) return allowing
  return [{ policy: 'identity', text: 'The root user of an account may do everything in it.' }]
}

/** The account as principal delegates, and so does any principal of another account. */
function allowance(compiled: CompiledStatement, question: Question): string {
  const { request } = question
  const named = namedBy(compiled, question)
  if (named === undefined) return 'allows the action.'
  const { account } = request.principal
  if (named === 'account' || relationOf(request) === 'other') {
    return `allows the action to account ${account}, whose identity-based policies decide.`
  }
  return named === 'role' ? "allows the action to the caller's role." : 'allows the action to the caller.'
}

function silenceOf({ kind, policies }: Side, question: Question): readonly Reason[] {
  const { action, resource } = question.request
  // A resource without a policy may have one that has no say: an action that is not open to other accounts.
  const isClosed = kind === 'resource' && policies.length === 0
  const text = isClosed
    ? `No policy of ${resource} allows ${action} to another account.`
    : `No ${names[kind]} allows ${action} on ${resource}.`
  const silent: Reason = { policy: kind, text }
  return [silent, ...policies.flatMap(place => nearlyAllowedBy(place, question))]
}

function nearlyAllowedBy(place: Place, question: Question): readonly Reason[] {
  const reasons: Reason[] = []
  for (const compiled of compilePolicy(place.text, place.kind).allows) {
    const failed = failedOf(mismatch(compiled, question)!, compiled.statement, question)
    if (failed.element === 'Action') continue
    if (reasons.length === nearMisses) break
    const why = isOfDeleted(failed, compiled.statement, question) ? deleted : sentence(failed)
    reasons.push({ ...statementReason(place, compiled.statement, `does not apply: ${why}`), failed })
  }
  return reasons
}

/** Whether a statement names the caller's ARN, but when it was put, this was the ARN of another principal. */
function isOfDeleted({ element }: Failed, { principals }: Statement, { request }: Question): boolean {
  const { arn, roleArn } = request.principal
  return (
    element === 'Principal' && !principals!.negated && principals!.aws.some(name => name === arn || name === roleArn)
  )
}

const deleted = 'its Principal is a user or role that was deleted; the one of the same name was created later.'

function failedOf(found: Mismatch, { principals, actions, resources }: Statement, { request }: Question): Failed {
  const { arn } = request.principal
  if (found === 'Action') return { element: found, expected: actions.values, actual: [request.action] }
  if (found === 'Principal') return { element: found, expected: namesIn(principals!), actual: [arn] }
  if (found === 'Resource') return { element: found, expected: resources.values, actual: [request.resource] }
  if ('variable' in found) return { element: found.element, key: found.variable.name }
  const { operator, key, values } = found.condition
  return { element: 'Condition', operator, key, expected: values, actual: request.context(found.key) }
}

function namesIn({ aws, services, federated }: Principals): readonly string[] {
  return [...aws, ...services, ...federated]
}

function sentence({ element, operator, key, expected, actual }: Failed): string {
  if (expected === undefined)
    return `the variable ${key} of its ${element} has no value in the request, several, or one that is too long.`
  if (element !== 'Condition') return `its ${element} does not match ${listed(actual ?? [])}.`
  const value =
    actual === undefined || actual.length === 0 ? 'the request has no such key' : `the request has ${listed(actual)}`
  return `its condition ${operator} ${key} = ${listed(expected)} does not hold; ${value}.`
}

/** Values as they are shown to a reader: not more than fit on a few lines. */
function listed(values: readonly string[]): string {
  const shown = values
    .slice(0, 5)
    .map(value => JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}...` : value))
  return `[${[...shown, ...(values.length > 5 ? [`and ${values.length - 5} more`] : [])].join(', ')}]`
}

function statementReason(place: Place, { position, sid, effect }: Statement, rest: string): Reason {
  const name = sid === undefined ? '' : ` (${sid.slice(0, 100)})`
  return {
    ...reason(place, `Statement ${position}${name} of ${title(place)} ${rest}`),
    statement: { position, ...(sid !== undefined && { sid }), effect },
  }
}

function reason({ policy, index }: Place, text: string): Reason {
  return { policy, ...(index !== undefined && { index }), text }
}

function title({ policy, index }: Place): string {
  return index === undefined ? `the ${names[policy]}` : `${names[policy]} ${index + 1}`
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
