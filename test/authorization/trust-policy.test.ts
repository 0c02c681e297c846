import { describe, expect, it } from 'vitest'
import { checkTrustPolicy } from '../../src/authorization/trust-policy.ts'
import type { Principal } from '../../src/model/identities/principal.ts'
import type { Principals } from '../../src/model/identities/principals.ts'
import { findPartition } from '../../src/model/partitions.ts'

const account = '111122223333'
const alice = `arn:aws:iam::${account}:user/alice`
const app = `arn:aws:iam::${account}:role/app`
const session = `arn:aws:sts::${account}:assumed-role/app/worker`

const known = new Map<string, Principal>(
  [
    { type: 'user', name: 'alice', arn: alice, principalId: 'AIDAEXAMPLE0000000001', groups: [] } as const,
    {
      type: 'role',
      name: 'app',
      arn: app,
      principalId: 'AROAEXAMPLE0000000001',
      trustPolicy: '',
      maxSessionDuration: 3600,
    } as const,
  ].map(one => [one.name, { ...one, account, inlinePolicies: [], managedPolicies: [], tags: [], revision: 0 }]),
)
const principals: Principals = {
  find: arn => [...known.values()].find(one => one.arn === arn),
  withId: id => [...known.values()].find(one => one.principalId === id),
  named: (_, type, name) => (known.get(name)?.type === type ? known.get(name) : undefined),
  isKnown: id => id === account,
}

const check = (policy: unknown) =>
  checkTrustPolicy(typeof policy === 'string' ? policy : JSON.stringify(policy), findPartition('eu-west-1'), principals)
const trusting = (Principal: unknown, more: object = {}) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole', ...more }],
})

describe('a new trust policy', () => {
  it('is accepted, with the unique ids of the users, roles and sessions that it names', () => {
    const named = [
      '*',
      account,
      `arn:aws:iam::${account}:root`,
      alice,
      app,
      session,
      'arn:aws:iam::444455556666:role/anybody',
    ]
    expect(check(trusting({ AWS: named }))).toEqual({
      [alice]: 'AIDAEXAMPLE0000000001',
      [app]: 'AROAEXAMPLE0000000001',
      [session]: 'AROAEXAMPLE0000000001:worker',
    })
  })

  it.each([
    ['the wildcard', trusting('*')],
    ['services', trusting({ Service: ['ec2.amazonaws.com', 'logs.eu-west-1.amazonaws.com'] })],
    [
      'an OIDC provider',
      trusting({ Federated: `arn:aws:iam::${account}:oidc-provider/token.actions.githubusercontent.com` }),
    ],
    [
      'an OIDC provider with a path and a port',
      trusting({ Federated: `arn:aws:iam::${account}:oidc-provider/oidc.example.com:8443/id/A_1` }),
    ],
    ['a SAML provider', trusting({ Federated: `arn:aws:iam::${account}:saml-provider/Corp.1` })],
    ['a provider that needs no configuration', trusting({ Federated: 'cognito-identity.amazonaws.com' })],
    [
      'a service-linked role',
      trusting({ AWS: `arn:aws:iam::${account}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX` }),
    ],
    ['a unique id', trusting({ AWS: 'AIDAEXAMPLE0000000001' })],
    ['several actions', trusting('*', { Action: ['sts:AssumeRole', 'STS:TagSession', 'sts:SetSourceIdentity'] })],
    ['a Deny of all others', trusting('*', { Effect: 'Deny', Action: undefined, NotAction: 'sts:AssumeRole' })],
    ['no version', { Statement: trusting('*').Statement }],
    ['2,048 characters and as much white space', `${' '.repeat(2000)}${padded(2048)}`],
  ])('is accepted with %s', (_, policy) => {
    expect(check(policy)).toEqual({})
  })

  /** With so many characters. */
  function padded(length: number): string {
    const text = (Sid: string) => JSON.stringify(trusting('*', { Sid }))
    return text('x'.repeat(length - text('').length))
  }

  it.each<readonly [message: string, policy: unknown]>([
    ['This policy contains invalid Json', '{"Statement": [}'],
    [
      'This policy contains invalid Json',
      '{"Statement":{"Effect":"Allow","Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}}',
    ],
    ['The policy must contain a valid version string', { ...trusting('*'), Version: '2020-01-01' }],
    ['Could not parse the policy: Statement is empty!', { Version: '2012-10-17', Statement: [] }],
    [
      'The Statement Ids in the policy are not unique',
      { Statement: ['a', 'b', 'a'].map(Sid => ({ ...trusting('*').Statement[0], Sid })) },
    ],
    ['Missing required field Effect', trusting('*', { Effect: undefined })],
    ['Invalid effect: allow', trusting('*', { Effect: 'allow' })],
    ['Missing required field Principal', trusting(undefined)],
    ['AssumeRole policy must not contain NotPrincipal field.', trusting(undefined, { NotPrincipal: { AWS: alice } })],
    ['Missing required field Action', trusting('*', { Action: undefined })],
    ['Missing required field Action', trusting('*', { Action: [] })],
    ['Missing required field Action', trusting('*', { Action: '' })],
    ['AssumeRole policy may only specify STS AssumeRole actions.', trusting('*', { Action: '*' })],
    [
      'AssumeRole policy may only specify STS AssumeRole actions.',
      trusting('*', { Action: ['sts:AssumeRole', 'kms:Decrypt'] }),
    ],
    [
      'AssumeRole policy may only specify STS AssumeRole actions.',
      trusting('*', { Action: undefined, NotAction: 'kms:*' }),
    ],
    ['Has prohibited field Resource', trusting('*', { Resource: '*' })],
    ['AssumeRole policy must not contain resources.', trusting('*', { NotResource: app })],
    [
      `Invalid principal in policy: "AWS":"arn:aws:iam::${account}:user/bob"`,
      trusting({ AWS: [alice, `arn:aws:iam::${account}:user/bob`] }),
    ],
    [
      `Invalid principal in policy: "AWS":"arn:aws:iam::${account}:role/alice"`,
      trusting({ AWS: `arn:aws:iam::${account}:role/alice` }),
    ],
    [
      `Invalid principal in policy: "AWS":"arn:aws:iam::${account}:role/*"`,
      trusting({ AWS: `arn:aws:iam::${account}:role/*` }),
    ],
    [
      `Invalid principal in policy: "AWS":"arn:aws:sts::${account}:assumed-role/app/*"`,
      trusting({ AWS: `arn:aws:sts::${account}:assumed-role/app/*` }),
    ],
    [
      'Invalid principal in policy: "AWS":"arn:aws-cn:iam::444455556666:root"',
      trusting({ AWS: 'arn:aws-cn:iam::444455556666:root' }),
    ],
    ['Invalid principal in policy: "AWS":"AROAEXAMPLE0000000009"', trusting({ AWS: 'AROAEXAMPLE0000000009' })],
    ['Invalid principal in policy: "SERVICE":"*"', trusting({ Service: '*' })],
    ['Invalid principal in policy: "SERVICE":"s3.example.com"', trusting({ Service: 's3.example.com' })],
    ['Federated principals must be valid domain names or SAML metadata ARNs', trusting({ Federated: '*' })],
    [
      'Federated principals must be valid domain names or SAML metadata ARNs',
      trusting({ Federated: `arn:aws:iam::${account}:oidc-provider/` }),
    ],
    [
      'Federated principals must be valid domain names or SAML metadata ARNs',
      trusting({ Federated: `arn:aws:iam//${account}:oidc-provider/x` }),
    ],
    [
      'Federated principals must be valid domain names or SAML metadata ARNs',
      trusting({ Federated: 'https://oidc.example.com' }),
    ],
    ['Policy contains a statement with one or more invalid principals.', trusting({ CanonicalUser: 'x' })],
    ['Policy contains a statement with no principal.', trusting({})],
    [
      'Invalid Condition type : StringMatches',
      trusting('*', { Condition: { StringMatches: { 'sts:ExternalId': 'x' } } }),
    ],
    [
      'Invalid value for Condition type NumericLessThan : soon',
      trusting('*', { Condition: { NumericLessThan: { 'aws:MultiFactorAuthAge': 'soon' } } }),
    ],
    ['A statement has no element Ressource', trusting('*', { Ressource: '*' })],
  ])('is refused: %s', (message, policy) => {
    expect(() => check(policy)).toThrow(expect.objectContaining({ code: 'MalformedPolicyDocument', message }))
  })

  it.each([
    ['2,049 characters', padded(2049)],
    ['more white space than it is worth to read', `${' '.repeat(30_000)}${padded(200)}`],
  ])('is too long with %s', (_, policy) => {
    expect(() => check(policy)).toThrow(
      expect.objectContaining({ code: 'LimitExceeded', message: 'Cannot exceed quota for ACLSizePerRole: 2048' }),
    )
  })
})
