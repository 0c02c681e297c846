import { Failure } from '../errors.ts'

/**
 * Key policies and identity-based policies: IAM User Guide, "Grammar of the IAM JSON policy language".
 *
 * Unsupported elements (Condition, NotPrincipal, NotAction, NotResource) are refused, never ignored: an accepted policy is fully enforced.
 */
export interface PolicyDocument {
  readonly statements: readonly Statement[]
}

export interface Statement {
  readonly effect: 'Allow' | 'Deny'
  /** `*`, 12-digit accounts and ARNs of principals; absent in identity-based policies. */
  readonly principals?: readonly string[]
  /** They never match, as no AWS service calls this gateway. */
  readonly services?: readonly string[]
  /** In lower case, as actions are case-insensitive. */
  readonly actions: readonly string[]
  readonly resources: readonly string[]
}

export type PolicyKind = 'key' | 'identity'

/** Caches the last parsed policies: the same few texts are used by every request. */
const parsed: Record<PolicyKind, Map<string, PolicyDocument>> = { key: new Map(), identity: new Map() }
const rememberedCharacters = 4_000_000
const remembered = { key: 0, identity: 0 }

/**
 * Parses a stored or new policy. Further requirements for new policies are in key-policy.ts, so that stricter rules do not invalidate
 * stored ones. Throws MalformedPolicyDocument.
 */
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
  const statements = Statement === undefined ? [] : Array.isArray(Statement) ? Statement : [Statement]
  if (statements.length === 0) throw malformed('Could not parse the policy: Statement is empty!')
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
  if (Effect === undefined) throw malformed('Missing required field Effect')
  if (typeof Effect !== 'string') throw malformed('The Effect of a statement is a string')
  if (Effect !== 'Allow' && Effect !== 'Deny') throw malformed(`Invalid effect: ${Effect.slice(0, 100)}`)
  if (kind === 'identity' && Principal !== undefined) throw malformed('Policy document should not specify a principal.')
  return {
    effect: Effect,
    ...(kind === 'key' && principalsOf(Principal)),
    actions: strings(Action, 'Action').map(action => action.toLowerCase()),
    resources: strings(Resource, 'Resource'),
  }
}

function principalsOf(value: unknown): Required<Pick<Statement, 'principals' | 'services'>> {
  if (value === '*') return { principals: ['*'], services: [] }
  if (value === undefined || value === null) throw noPrincipal()
  if (typeof value !== 'object' || Array.isArray(value)) throw invalidPrincipals()
  const { AWS, Service, ...unknown } = value as Readonly<Record<string, unknown>>
  const [principals, services] = [AWS, Service].map(listed)
  if (!principals || !services || Object.keys(unknown).length > 0) throw invalidPrincipals()
  if (principals.length + services.length === 0) throw noPrincipal()
  return { principals, services }
}

function noPrincipal(): Failure {
  return malformed('Policy contains a statement with no principal.')
}

export function invalidPrincipals(): Failure {
  return malformed('Policy contains a statement with one or more invalid principals.')
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw malformed(`A ${what} is a JSON object`)
}

/** Absent in a policy stored when AWS still accepted it: then the statement applies to nothing. */
function strings(value: unknown, element: string): readonly string[] {
  const list = listed(value)
  if (list) return list
  throw malformed(`The element ${element} holds strings only`)
}

/** One string or a list of strings; undefined for anything else. */
function listed(value: unknown): readonly string[] | undefined {
  const list = value === undefined ? [] : Array.isArray(value) ? value : [value]
  return list.every(item => typeof item === 'string') ? list : undefined
}

function refuseUnknown(members: Readonly<Record<string, unknown>>, what: string): void {
  const name = Object.keys(members)[0]
  if (name !== undefined) throw malformed(`A ${what} has no element ${name}`)
}

export function malformed(message: string): Failure {
  return new Failure('MalformedPolicyDocument', message)
}
