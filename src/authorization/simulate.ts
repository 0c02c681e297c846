import { asciiLowerCase } from '../model/ascii.ts'
import { compilePolicy } from './compile.ts'
import { decide } from './decide.ts'
import { explain, type Reason } from './explain.ts'
import { type PolicyKind, textOf } from './grammar.ts'
import type { AccessRequest, ConditionValues, Decision, Policies, RequestPrincipal } from './request.ts'
import { parseStrictJson, WrittenNumber } from './strict-json.ts'

export interface Simulation {
  readonly decision: Decision['outcome']
  readonly reasons: readonly Reason[]
}

/** What is wrong with a simulated request. The message names the member. */
export class SimulationError extends Error {}

/**
 * Decides a request that is given as JSON, with all policies:
 *
 * `{"request": {"principal", "action", "resource", "context": {key: [values]}}, "resourcePolicy", "identityPolicies": [],
 * "permissionsBoundary", "sessionPolicy"}`
 *
 * A policy is a JSON object or its text; all are optional, and null is like absent. The principal is the ARN of a user, a role, a role
 * session, a federated user, the root user of an account, or an identity provider (for a web identity), or the name of a service. The account
 * in the ARN of the resource owns it, the caller's if there is none. The policy of a role is its trust policy. A KMS key or role without
 * `resourcePolicy` has one that allows nothing, as each has a policy. Condition keys are those of `context` and no others.
 *
 * Throws SimulationError.
 */
export function simulate(text: string): Simulation {
  const { request, policies } = parseSimulation(text)
  return { decision: decide(request, policies).outcome, reasons: explain(request, policies) }
}

function parseSimulation(text: string): { readonly request: AccessRequest; readonly policies: Policies } {
  let value: unknown
  try {
    value = parseStrictJson(text)
  } catch (thrown) {
    throw new SimulationError(`not valid JSON: ${(thrown as Error).message}`)
  }
  const top = members(value, '', [
    'request',
    'resourcePolicy',
    'identityPolicies',
    'permissionsBoundary',
    'sessionPolicy',
  ])
  const request = requestOf(top.request)
  const { resourcePolicy, permissionsBoundary, sessionPolicy } = top
  const identityPolicies = top.identityPolicies ?? []
  if (!Array.isArray(identityPolicies)) throw new SimulationError('identityPolicies must be a list of policies')
  const kind = role.test(request.resource) ? 'trust' : 'resource'
  const identity = identityPolicies.map((policy, index) => policyText(policy, `identityPolicies[${index}]`, 'identity'))
  return {
    request,
    policies: {
      identity,
      boundary: optional(permissionsBoundary, policy => policyText(policy, 'permissionsBoundary', 'identity')),
      session: optional(sessionPolicy, policy => [policyText(policy, 'sessionPolicy', 'identity')]),
      resource:
        optional(resourcePolicy, policy => ({ text: policyText(policy, 'resourcePolicy', kind), kind })) ??
        (kmsKey.test(request.resource) || isAssuming(request) ? allowsNothing : undefined),
    },
  }
}

const kmsKey = /^arn:[^:]*:kms:[^:]*:[^:]*:key\//
const role = /^arn:[^:]*:iam::[^:]*:role\//

/** Actions of IAM on a role do not ask its trust policy. */
function isAssuming({ action, resource }: AccessRequest): boolean {
  return role.test(resource) && /^sts:/i.test(action)
}

/** A statement without actions applies to nothing. */
const allowsNothing = {
  text: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":[],"Resource":"*"}}',
}

function requestOf(value: unknown): AccessRequest {
  const given = members(value, 'request', ['principal', 'action', 'resource', 'context'])
  const context = contextOf(given.context)
  const arn = nonEmpty(given.principal, 'request.principal')
  const action = nonEmpty(given.action, 'request.action')
  if (!/^[^:*?]+:[^:*?]+$/.test(action)) {
    throw new SimulationError('request.action must be one action, as service:Action without wildcards')
  }
  const resource = nonEmpty(given.resource, 'request.resource')
  if (resource !== '*' && !resourceArn.test(resource)) throw new SimulationError('request.resource must be an ARN or *')
  const [, region = ''] = /^arn:[^:]+:[^:]+:([^:]+)/.exec(resource) ?? []
  const principal = principalOf(arn, region, context)
  const [, account = principal.account] = resourceArn.exec(resource) ?? []
  return { principal, action, resource, account, context }
}

/** Some have no account, and policies of AWS have `aws` in its place. */
const resourceArn = /^arn:[^:]+:[^:]+:[^:]*:(?:(\d{12})|aws)?:./

const principalArn =
  /^(arn:[\w-]+:)(?:iam::(\d{12}):(?:root|user\/[\w+=,.@/-]+|(role)\/[\w+=,.@/-]+)|sts::(\d{12}):(?:assumed-role\/([\w+=,.@-]+)\/[\w+=,.@-]+|federated-user\/[\w+=,.@-]+))$/

const identityProvider = /^arn:[\w-]+:iam::(\d{12}):(?:oidc|saml)-provider\/./

/** The path of a role is not part of its sessions' ARNs: `aws:PrincipalArn` tells it, which is the role's ARN in each of its sessions. */
function principalOf(arn: string, region: string, context: ConditionValues): RequestPrincipal {
  if (/^[a-z0-9.-]+\.[a-z0-9.-]+$/.test(arn)) return { arn, account: '', principalId: '', service: arn, region }
  const [, ofProvider] = identityProvider.exec(arn) ?? []
  if (ofProvider !== undefined) return { arn, account: ofProvider, principalId: '', provider: arn }
  const [found, partition, iam, role, sts, sessionRole] = principalArn.exec(arn) ?? []
  if (found === undefined) {
    throw new SimulationError(
      'request.principal must be the ARN of a user, role, role session, federated user, root user or identity provider, or the name of a service',
    )
  }
  const account = (iam ?? sts)!
  const principal = { arn, account, principalId: '' }
  if (role !== undefined) return { ...principal, roleArn: arn }
  if (sessionRole === undefined) return principal
  const told = context('aws:principalarn')?.[0]
  const inAccount = `${partition}iam::${account}:role/`
  const isTold = told?.startsWith(inAccount) && told.endsWith(`/${sessionRole}`)
  const provider = context('aws:federatedprovider')?.[0]
  return {
    ...principal,
    roleArn: isTold ? told! : `${inAccount}${sessionRole}`,
    ...(provider !== undefined && { federation: { provider } }),
  }
}

function contextOf(value: unknown): ConditionValues {
  if (value === undefined || value === null) return () => undefined
  const context = new Map<string, readonly string[]>()
  for (const [key, given] of Object.entries(object(value, 'request.context'))) {
    const name = asciiLowerCase(key)
    if (context.has(name)) throw new SimulationError(`request.context repeats the key ${key}`)
    const values = (Array.isArray(given) ? given : [given]).map(textOf)
    if (!values.every(text => text !== undefined)) {
      throw new SimulationError(`request.context["${key}"] must be a list of strings, numbers or booleans`)
    }
    context.set(name, values)
  }
  return name => context.get(name)
}

/** The text of a policy. Throws if it is malformed, as a policy is refused when it is put. */
function policyText(value: unknown, member: string, kind: PolicyKind): string {
  const text = typeof value === 'string' ? value : JSON.stringify(object(value, member))
  const { unreadable } = compilePolicy(text, kind)
  if (unreadable !== undefined) throw new SimulationError(`${member}: ${unreadable}`)
  return text
}

function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value)
}

function nonEmpty(value: unknown, member: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new SimulationError(`${member} ${value === undefined ? 'is missing' : 'must be a non-empty string'}`)
}

function members(value: unknown, member: string, known: readonly string[]): Readonly<Record<string, unknown>> {
  const given = object(value, member)
  const unknown = Object.keys(given).find(name => !known.includes(name))
  if (unknown === undefined) return given
  throw new SimulationError(`${member === '' ? '' : `${member}.`}${unknown} is unknown; there are ${known.join(', ')}`)
}

function object(value: unknown, member: string): Readonly<Record<string, unknown>> {
  const isObject =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof WrittenNumber)
  if (isObject) return value as Readonly<Record<string, unknown>>
  const what = member === '' ? 'the line' : member
  throw new SimulationError(value === undefined ? `${what} is missing` : `${what} must be a JSON object`)
}
