// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import {
  alias,
  alice,
  bob,
  dave,
  federatedUser,
  foreignRole,
  foreignRoot,
  foreignSession,
  key,
  otherSession,
  role,
  root,
  session,
} from './cases/case.ts'
import type { Grantee, Question } from './naive-evaluator.ts'
import { type Context, listOf, type OneOrMore, type Policy, type Principals, type Statement } from './naive-text.ts'

/**
 * Two random requests with the same policies, and whom a grant that fits them names. The alphabet is small, so that policies often match. Every choice is
 * read from a byte, 0 for the first and simplest: a library has to make and shrink bytes only, which is fast, and what is left of a difference is small.
 */
export function questionsFrom(bytes: Uint8Array): { questions: [Question, Question]; grantee: Grantee | undefined } {
  const choices = new Choices(bytes)
  const resource = choices.from([key, key, key, key, key, key, alias, alias, '*', role, role])
  const principal = choices.from(callers)
  const request = requestFrom(choices, principal, resource)
  const other = requestFrom(choices, choices.from([principal, principal, ...callers]), resource)
  const hasPolicy = (resource === key || resource === role) && !choices.oneIn(20)
  const hasGrant = hasPolicy && choices.oneIn(5)
  const grantee = hasGrant ? choices.from(['caller', 'role', 'account'] as const) : undefined
  const policies = {
    ...(hasPolicy && { resourcePolicy: resourcePolicyFrom(choices, principal, resource) }),
    identityPolicies: choices.some(0, choices.from([1, 2, 2, 2]), () => policyFrom(choices)),
    ...(choices.oneIn(4) && { permissionsBoundary: policyFrom(choices) }),
    ...(choices.oneIn(4) && { sessionPolicy: policyFrom(choices) }),
  }
  const questions: [Question, Question] = [
    { request, ...policies },
    { request: other, ...policies },
  ]
  return { questions, grantee }
}

const service = 's3.amazonaws.com'
const provider = 'arn:aws:iam::111122223333:oidc-provider/oidc.example.com'

// biome-ignore format: a list
const callers = [alice, session, alice, session, dave, foreignSession, root, federatedUser, foreignRoot, service, provider]

function requestFrom(choices: Choices, principal: string, resource: string): Question['request'] {
  const action = choices.from(['kms:Decrypt', 'kms:Encrypt', 'kms:ReEncryptFrom'])
  return { principal, action, resource, context: contextFrom(choices) }
}

/** Bytes that any questions can be read from. */
export const size = 680

class Choices {
  readonly #bytes: Uint8Array
  #next = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The choices of the next so many bytes: however many of them are read, those after them mean the same. */
  part(size: number): Choices {
    this.#next += size
    return new Choices(this.#bytes.subarray(this.#next - size, this.#next))
  }

  /** 0 once the bytes are used up. */
  #below(limit: number): number {
    return (this.#bytes[this.#next++] ?? 0) % limit
  }

  from<T>(items: readonly T[]): T {
    return items[this.#below(items.length)]!
  }

  /** True one time in so many. */
  oneIn(times: number): boolean {
    return this.#below(times) === times - 1
  }

  some<T>(least: number, most: number, make: () => T): T[] {
    return Array.from({ length: least + this.#below(most - least + 1) }, make)
  }

  /** One value by itself, or a list of one or two. */
  oneOrMore<T>(items: readonly T[]): OneOrMore<T> {
    return this.oneIn(2) ? this.some(1, 2, () => this.from(items)) : this.from(items)
  }
}

/** Condition keys that a request may have, and their values. */
const valuesByKey: Readonly<Record<string, readonly string[]>> = {
  'aws:username': ['app', 'alice', 'app', '${aws:userid}', 'a*', ''],
  'aws:PrincipalTag/team': ['app', 'red', 'App', '*', 'user/app', '111122223333:red'],
  'aws:TagKeys': ['app', 'pp', 'APP', 'a?p'],
  'kms:RotationPeriodInDays': ['90', '90.0', '365', '-1', '9e1', 'NaN', '1e999'],
  'aws:CurrentTime': [
    '2026-07-01T00:00:00Z',
    '1782864000',
    '2026-07-01T00:00:01Z',
    '2027-01-01T00:00:00+02:00',
    '2026-07-01T00:00:00',
    'now',
  ],
  'aws:FederatedProvider': [provider, provider, 'cognito-identity.amazonaws.com', ''],
  'aws:SecureTransport': ['true', 'false', 'TRUE', 'yes'],
  'example:Digest': ['AAE=', 'AAI='],
  'aws:SourceIp': ['203.0.113.7', '203.0.113.200', '198.51.100.1', '2001:db8::7', '2001:db8:0:1::7', '203.0.113'],
  'aws:SourceArn': [
    alice,
    'arn:aws:iam::111122223333:user/app',
    'arn:aws:sns:us-east-1:111122223333:red:blue',
    ':::::',
    'alice',
  ],
}

function contextFrom(choices: Choices): Context {
  const entries = Object.entries(valuesByKey).flatMap(([name, values]) => {
    const part = choices.part(7)
    if (part.from([true, false, false, false, false, false])) return []
    const isMultivalued = name === 'aws:TagKeys' || part.oneIn(12)
    const drawn = part.some(isMultivalued ? 0 : 1, isMultivalued ? 3 : 1, () => part.from(values))
    return [[spelled(part, name), drawn] as const]
  })
  return Object.fromEntries(entries)
}

function spelled(choices: Choices, name: string): string {
  return choices.oneIn(8) ? name.toUpperCase() : name
}

function policyFrom(choices: Choices, principals?: (choices: Choices) => Partial<Statement>): Policy {
  const part = choices.part(100)
  const version = part.from(['2012-10-17', '2012-10-17', '2012-10-17', '2008-10-17', undefined] as const)
  const statements = part.some(1, 3, () => statementFrom(part.part(32), principals))
  const isOne = statements.length === 1 && part.oneIn(2)
  return { ...(version && { Version: version }), Statement: isOne ? statements[0]! : statements }
}

/** A trust policy, if the resource is a role: it names no resource. */
function resourcePolicyFrom(choices: Choices, caller: string, resource: string): Policy {
  const policy = policyFrom(choices, part => principalsFrom(part, caller))
  if (resource !== role) return policy
  const statements = listOf(policy.Statement).map(({ Resource: _one, NotResource: _other, ...rest }) => rest)
  return { ...policy, Statement: statements }
}

function statementFrom(choices: Choices, principals?: (choices: Choices) => Partial<Statement>): Statement {
  const action = choices.oneIn(9) ? 'NotAction' : 'Action'
  const resource = choices.oneIn(9) ? 'NotResource' : 'Resource'
  return {
    Effect: choices.from(['Allow', 'Allow', 'Allow', 'Allow', 'Deny'] as const),
    ...principals?.(choices),
    [action]: choices.oneOrMore(actions),
    [resource]: choices.oneOrMore(resources),
    ...(choices.from([false, true, true]) && { Condition: conditionFrom(choices) }),
  }
}

/** The first of each are many times as likely as the others. */
const actions = [...many('kms:*'), '*', 'kms:Decrypt', 'KMS:dec*', 'kms:?ncrypt', 'kms:*From', 's3:*']
const resources = [
  ...many('*'),
  key,
  'arn:aws:kms:*:111122223333:key/*',
  'arn:aws:kms:us-*',
  alias,
  'arn:aws:kms:us-east-1:111122223333:alias/${aws:username}',
  "arn:aws:kms:us-east-1:111122223333:*/${aws:PrincipalTag/team, 'app'}",
  'arn:aws:kms:us-east-1:111122223333:KEY/????abcd-*',
]

function many<T>(item: T): T[] {
  return Array.from({ length: 10 }, () => item)
}

/** More often than not, they name the caller. */
function principalsFrom(choices: Choices, caller: string): Partial<Statement> {
  const account = caller.split(':')[4] ?? '111122223333'
  const [callerRole, callerRoot] = account === '111122223333' ? [role, root] : [foreignRole, foreignRoot]
  const listed = [caller, callerRole, callerRoot, account, '*', alice, otherSession, dave, foreignRoot, bob]
  const principals = choices.from<Principals>([
    { AWS: caller },
    { AWS: callerRoot },
    { AWS: choices.oneOrMore(listed) },
    { AWS: [caller, callerRole, callerRoot] },
    '*',
    { AWS: choices.oneOrMore(listed), Service: service },
    { Service: choices.from([service, 's3.us-east-1.amazonaws.com', 's3.eu-west-1.amazonaws.com']) },
    { AWS: choices.oneOrMore(listed), Federated: provider },
    { Federated: choices.from([provider, 'cognito-identity.amazonaws.com']), Service: service },
  ])
  return choices.oneIn(9) ? { NotPrincipal: principals } : { Principal: principals }
}

const strings = [
  'app',
  'App',
  'red',
  'alice',
  'a*',
  '?pp',
  '*',
  '${*}',
  'a${?}p',
  '${aws:username}',
  '${aws:PrincipalTag/Team}',
  '${aws:TagKeys}',
  "${aws:missing, 'app'}",
  '${aws:missing}',
  '${$}{aws:userid}',
  '${',
  '',
]
const texts = ['aws:username', 'aws:PrincipalTag/team', 'aws:TagKeys']
const numbers = ['90', '365', '89.5', '-1', 90, '${aws:username}', '0x5a', '9.']
const dates = [
  '2026-07-01T00:00:00Z',
  '1782864000',
  '2026-07-01',
  '2026-07-01T02:00:00+02:00',
  '2026-12-31T22:00:00Z',
  '2026-07',
  'now',
]
const ranges = [
  '203.0.113.0/24',
  '203.0.113.0/25',
  '203.0.113.7',
  '0.0.0.0/0',
  '2001:DB8::/32',
  '2001:db8::/64',
  '::/0',
  '203.0.113.7/33',
  '198.51.0.0/17',
]
const arns = [
  alice,
  'arn:aws:iam::*:user/*',
  'arn:*:iam::1111?2223333:user/al*',
  'arn:aws:iam::111122223333:user/${aws:username}',
  'arn:aws:*:111122223333:red:blue',
  'arn:aws:sns:us-east-1:*:red*',
  'arn:aws:iam::111122223333:User/alice',
  '*',
  '*:*:*:*:*:*',
  'arn:aws:sns:us-east-1:${aws:PrincipalTag/team}:blue',
  'arn:aws:iam::111122223333:${aws:PrincipalTag/team}',
]

/** Operators with the condition keys that they compare and values to compare with. */
const comparisons: readonly (readonly [
  operators: string,
  keys: readonly string[],
  values: readonly (string | number | boolean)[],
])[] = [
  [
    'StringEquals StringNotEquals StringEqualsIgnoreCase StringNotEqualsIgnoreCase StringLike StringNotLike',
    texts,
    strings,
  ],
  [
    'NumericEquals NumericNotEquals NumericLessThan NumericLessThanEquals NumericGreaterThan NumericGreaterThanEquals',
    ['kms:RotationPeriodInDays'],
    numbers,
  ],
  [
    'DateEquals DateNotEquals DateLessThan DateLessThanEquals DateGreaterThan DateGreaterThanEquals',
    ['aws:CurrentTime'],
    dates,
  ],
  ['Bool', ['aws:SecureTransport'], ['true', 'false', true, false, 'True']],
  ['BinaryEquals', ['example:Digest'], ['AAE=', 'AAI=']],
  ['IpAddress NotIpAddress', ['aws:SourceIp'], ranges],
  ['ArnEquals ArnLike ArnNotEquals ArnNotLike', ['aws:SourceArn'], arns],
  ['Null', Object.keys(valuesByKey), ['true', 'false', true, false]],
]

/** Every operator as it is without set operator and suffix. */
export const operators: readonly string[] = comparisons.flatMap(([names]) => names.split(' '))

function conditionFrom(choices: Choices): NonNullable<Statement['Condition']> {
  const lines = choices.some(1, choices.from([1, 1, 2]), () => {
    if (choices.oneIn(40)) return ['StringMatches', { 'aws:username': 'alice' }] as const
    const operator = choices.from(operators)
    const [, keys, values] = comparisons.find(([names]) => names.split(' ').includes(operator))!
    const set = operator !== 'Null' && choices.oneIn(3) ? choices.from(['ForAllValues:', 'ForAnyValue:']) : ''
    const ifExists = operator !== 'Null' && choices.oneIn(4) ? 'IfExists' : ''
    const compared = new Set(choices.some(1, choices.from([1, 1, 2]), () => choices.from(keys)))
    const entries = [...compared].map(name => [spelled(choices, name), choices.oneOrMore(values)] as const)
    return [`${set}${operator}${ifExists}`, Object.fromEntries(entries)] as const
  })
  return Object.fromEntries(lines)
}
