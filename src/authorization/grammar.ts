import { Failure } from '../errors.ts'
import { asciiLowerCase } from '../model/ascii.ts'
import type { ResourcePolicyKind } from './request.ts'
import { parseStrictJson, WrittenNumber } from './strict-json.ts'
import type { Version } from './variables.ts'

/**
 * The grammar of policies: IAM User Guide, "Grammar of the IAM JSON policy language". What only a new policy must satisfy is in
 * key-policy.ts and trust-policy.ts, so that a stored policy outlives stricter rules.
 */
export interface PolicyDocument {
  /** 2008-10-17 if the document names none. */
  readonly version: Version
  readonly id?: string | undefined
  readonly statements: readonly Statement[]
}

export interface Statement {
  /** From 1. */
  readonly position: number
  readonly sid?: string | undefined
  readonly effect: 'Allow' | 'Deny'
  /** Absent in identity-based policies. */
  readonly principals?: Principals | undefined
  readonly actions: Names
  readonly resources: Names
  /** One for each operator and key, in the order of the document. All must hold. */
  readonly conditions: readonly Condition[]
}

/** The names of an element, or with `negated` of NotAction or NotResource. None in a statement that applies to nothing. */
export interface Names {
  readonly negated: boolean
  readonly values: readonly string[]
}

/** The names of Principal, or with `negated` of NotPrincipal. */
export interface Principals {
  readonly negated: boolean
  /** `*`, 12-digit accounts and ARNs. */
  readonly aws: readonly string[]
  /** Names of services. */
  readonly services: readonly string[]
  /** Identity providers: ARNs, or names of those that need no configuration. */
  readonly federated: readonly string[]
}

export interface Condition {
  /** As written, for example `ForAnyValue:StringLikeIfExists`. */
  readonly operator: string
  /** As written. */
  readonly key: string
  readonly values: readonly string[]
}

/** A policy of a resource names principals, one of an identity does not. */
export type PolicyKind = ResourcePolicyKind | 'identity'

/** Throws MalformedPolicyDocument. */
export function parsePolicy(text: string, kind: PolicyKind): PolicyDocument {
  let document: unknown
  try {
    document = parseStrictJson(text)
  } catch (thrown) {
    throw invalidJson(thrown)
  }
  const { Version, Id, Statement } = elements(document, 'policy', ['Version', 'Id', 'Statement'])
  if (Version !== undefined && Version !== '2012-10-17' && Version !== '2008-10-17') {
    throw malformed('The policy must contain a valid version string')
  }
  if (Id !== undefined && typeof Id !== 'string') throw malformed('The Id of a policy is a string')
  const statements = Statement === undefined ? [] : Array.isArray(Statement) ? Statement : [Statement]
  if (statements.length === 0) throw malformed('Could not parse the policy: Statement is empty!')
  return {
    version: Version ?? '2008-10-17',
    id: Id,
    statements: statements.map((statement, index) => parseStatement(statement, index + 1, kind)),
  }
}

// biome-ignore format: a list
const statementElements = ['Sid', 'Effect', 'Principal', 'NotPrincipal', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition']

function parseStatement(value: unknown, position: number, kind: PolicyKind): Statement {
  const { Sid, Effect, Principal, NotPrincipal, Action, NotAction, Resource, NotResource, Condition } = elements(
    value,
    'statement',
    statementElements,
  )
  if (Sid !== undefined && typeof Sid !== 'string') throw malformed('The Sid of a statement is a string')
  if (Effect === undefined) throw malformed('Missing required field Effect')
  if (typeof Effect !== 'string') throw malformed('The Effect of a statement is a string')
  if (Effect !== 'Allow' && Effect !== 'Deny') throw malformed(`Invalid effect: ${Effect.slice(0, 100)}`)
  if (kind === 'identity' && (Principal !== undefined || NotPrincipal !== undefined)) {
    throw malformed('Policy document should not specify a principal.')
  }
  if (kind === 'identity' && Action === undefined && NotAction === undefined) {
    throw malformed('Policy statement must contain actions.')
  }
  if (kind === 'identity' && Resource === undefined && NotResource === undefined) {
    throw malformed('Policy statement must contain resources.')
  }
  if (kind === 'trust' && Resource !== undefined) throw malformed('Has prohibited field Resource')
  if (kind === 'trust' && NotResource !== undefined) throw malformed('AssumeRole policy must not contain resources.')
  if (kind === 'trust' && Principal === undefined && NotPrincipal === undefined) {
    throw malformed('Missing required field Principal')
  }
  return {
    position,
    sid: Sid,
    effect: Effect,
    principals: kind === 'identity' ? undefined : parsePrincipals(Principal, NotPrincipal),
    actions: parseNames(Action, NotAction, 'Action'),
    resources: kind === 'trust' ? everyResource : parseNames(Resource, NotResource, 'Resource'),
    conditions: parseConditions(Condition),
  }
}

const everyResource: Names = { negated: false, values: ['*'] }

function parsePrincipals(principal: unknown, notPrincipal: unknown): Principals {
  refuseBoth(principal, notPrincipal, 'Principal')
  const negated = notPrincipal !== undefined
  const value = negated ? notPrincipal : principal
  if (value === '*') return { negated, aws: ['*'], services: [], federated: [] }
  if (value === undefined || value === null) throw noPrincipal()
  if (typeof value !== 'object' || Array.isArray(value)) throw invalidPrincipals()
  const { AWS, Service, Federated, ...unknown } = value as Readonly<Record<string, unknown>>
  const [aws, services, federated] = [AWS, Service, Federated].map(strings)
  if (!aws || !services || !federated || Object.keys(unknown).length > 0) throw invalidPrincipals()
  if (aws.length + services.length + federated.length === 0) throw noPrincipal()
  return { negated, aws, services, federated }
}

/** Both are absent in a key policy stored when AWS still accepted it: then the statement applies to nothing. */
function parseNames(value: unknown, notValue: unknown, element: 'Action' | 'Resource'): Names {
  refuseBoth(value, notValue, element)
  const negated = notValue !== undefined
  const values = strings(negated ? notValue : value)
  if (!values) throw malformed(`The element ${negated ? 'Not' : ''}${element} holds strings only`)
  if (negated && values.length === 0) throw malformed(`The element Not${element} is empty`)
  return { negated, values }
}

function refuseBoth(value: unknown, notValue: unknown, element: string): void {
  if (value !== undefined && notValue !== undefined) {
    throw malformed(`A statement has either ${element} or Not${element}`)
  }
}

function parseConditions(value: unknown): readonly Condition[] {
  if (value === undefined) return []
  return Object.entries(record(value, 'The Condition of a statement')).flatMap(([operator, keys]) => {
    const named = Object.entries(record(keys, `The condition operator ${operator.slice(0, 100)}`))
    // Names of keys are case-insensitive: two that differ in case only are the same member twice.
    const repeated = firstRepeated(named.map(([key]) => asciiLowerCase(key)))
    if (repeated !== undefined) throw invalidJson(new SyntaxError(`repeats the member ${repeated.slice(0, 100)}`))
    return named.map(([key, values]) => ({ operator, key, values: parseConditionValues(values, key) }))
  })
}

function parseConditionValues(value: unknown, key: string): readonly string[] {
  const values = (Array.isArray(value) ? value : [value]).map(textOf)
  if (values.every(text => text !== undefined)) return values
  throw malformed(`The values of the condition key ${key.slice(0, 100)} are strings, numbers or booleans`)
}

/** A number or a boolean stands for its text: `true` is `"true"`. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean' || typeof value === 'number') return String(value)
  return value instanceof WrittenNumber ? value.text : undefined
}

/** One string or a list of strings; none if it is absent; undefined for anything else. */
function strings(value: unknown): readonly string[] | undefined {
  const list = value === undefined ? [] : Array.isArray(value) ? value : [value]
  return list.every(item => typeof item === 'string') ? list : undefined
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof WrittenNumber)) {
    return value as Record<string, unknown>
  }
  throw malformed(`${what} is a JSON object`)
}

function elements(value: unknown, what: string, known: readonly string[]): Readonly<Record<string, unknown>> {
  const members = record(value, `A ${what}`)
  const unknown = Object.keys(members).find(name => !known.includes(name))
  if (unknown === undefined) return members
  throw malformed(`A ${what} has no element ${unknown.slice(0, 100)}`)
}

function firstRepeated(names: readonly string[]): string | undefined {
  const seen = new Set<string>()
  return names.find(name => seen.has(name) || !seen.add(name))
}

function noPrincipal(): Failure {
  return malformed('Policy contains a statement with no principal.')
}

export function invalidPrincipals(): Failure {
  return malformed('Policy contains a statement with one or more invalid principals.')
}

/** @param cause what AWS's message does not say */
function invalidJson(cause: unknown): Failure {
  return malformed('This policy contains invalid Json', { cause })
}

export function malformed(message: string, options?: ErrorOptions): Failure {
  return new Failure('MalformedPolicyDocument', message, options)
}

/** What is wrong with a policy, for those who are to correct it: the message to the caller, and its cause. */
export function detailed({ message, cause }: Failure): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}
