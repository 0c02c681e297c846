import { Failure } from '../errors.ts'

/**
 * Key policies and identity-based policies: IAM User Guide, "Grammar of the IAM JSON policy language".
 *
 * What this gateway does not evaluate yet (Condition, NotPrincipal, NotAction, NotResource) is refused, never ignored: a policy
 * that was accepted is enforced to the letter.
 */
export interface PolicyDocument {
  readonly statements: readonly Statement[]
}

export interface Statement {
  readonly effect: 'Allow' | 'Deny'
  /** `*`, 12-digit accounts and ARNs of principals; absent in identity-based policies. */
  readonly principals?: readonly string[]
  /** Lower case, as actions compare without regard to case. */
  readonly actions: readonly string[]
  readonly resources: readonly string[]
}

export type PolicyKind = 'key' | 'identity'

/** Policies parsed last are remembered: the same few texts decide every request. */
const parsed: Record<PolicyKind, Map<string, PolicyDocument>> = { key: new Map(), identity: new Map() }
const rememberedCharacters = 4_000_000
const remembered = { key: 0, identity: 0 }

/** Throws MalformedPolicyDocumentException. */
export function parsePolicyDocument(text: string, kind: PolicyKind): PolicyDocument {
  const known = parsed[kind].get(text)
  if (known) return known
  const document = { statements: statementsOf(text).map(statement => parseStatement(statement, kind)) }
  remember(text, kind, document)
  return document
}

function remember(text: string, kind: PolicyKind, document: PolicyDocument): void {
  if (remembered[kind] + text.length > rememberedCharacters) {
    parsed[kind].clear()
    remembered[kind] = 0
  }
  parsed[kind].set(text, document)
  remembered[kind] += text.length
}

function statementsOf(text: string): readonly unknown[] {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw malformed('This policy contains invalid Json')
  }
  const { Version, Id, Statement, ...unknown } = record(document, 'policy')
  refuseUnknown(unknown, 'policy')
  if (Version !== undefined && Version !== '2012-10-17' && Version !== '2008-10-17') {
    throw malformed('The policy must contain a valid version string')
  }
  if (Id !== undefined && typeof Id !== 'string') throw malformed('The Id of a policy is a string')
  const statements = Array.isArray(Statement) ? Statement : [Statement]
  if (Statement === undefined || statements.length === 0) throw malformed('The policy contains no statement')
  return statements
}

const notEvaluated = ['Condition', 'NotPrincipal', 'NotAction', 'NotResource']

function parseStatement(value: unknown, kind: PolicyKind): Statement {
  const statement = record(value, 'statement')
  const element = notEvaluated.find(name => name in statement)
  if (element) throw malformed(`Policies with the element ${element} are not supported by this gateway`)
  const { Sid, Effect, Principal, Action, Resource, ...unknown } = statement
  refuseUnknown(unknown, 'statement')
  if (Sid !== undefined && typeof Sid !== 'string') throw malformed('The Sid of a statement is a string')
  if (Effect !== 'Allow' && Effect !== 'Deny') throw malformed('The Effect of a statement is Allow or Deny')
  if ((Principal !== undefined) !== (kind === 'key')) {
    throw malformed(
      kind === 'key' ? 'Every statement of a key policy has a Principal' : 'This policy names a Principal',
    )
  }
  return {
    effect: Effect,
    ...(kind === 'key' && { principals: principalsOf(Principal) }),
    actions: strings(Action, 'Action').map(action => action.toLowerCase()),
    resources: strings(Resource, 'Resource'),
  }
}

const principal =
  /^(?:\*|\d{12}|arn:aws[a-z-]*:(?:iam::\d{12}:(?:root|user\/[\w+=,.@/-]+|role\/[\w+=,.@/-]+)|sts::\d{12}:(?:assumed-role|federated-user)\/[\w+=,.@/-]+))$/

function principalsOf(value: unknown): readonly string[] {
  if (value === '*') return ['*']
  const { AWS, Service, ...unknown } = record(value, 'Principal')
  const named = strings(AWS, 'Principal')
  // A service principal is accepted and matches nobody: no AWS service calls this gateway.
  const services = strings(Service, 'Principal')
  const invalid = named.some(name => !principal.test(name)) || named.length + services.length === 0
  if (invalid || Object.keys(unknown).length > 0) {
    throw malformed('Policy contains a statement with one or more invalid principals.')
  }
  return named
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw malformed(`A ${what} is a JSON object`)
}

/** Absent is allowed, and then the statement applies to nothing. */
function strings(value: unknown, element: string): readonly string[] {
  const list = value === undefined ? [] : Array.isArray(value) ? value : [value]
  if (list.every(item => typeof item === 'string')) return list
  throw malformed(`The element ${element} holds strings only`)
}

function refuseUnknown(members: Readonly<Record<string, unknown>>, what: string): void {
  const name = Object.keys(members)[0]
  if (name !== undefined) throw malformed(`A ${what} has no element ${name}`)
}

function malformed(message: string): Failure {
  return new Failure('MalformedPolicyDocumentException', message)
}
