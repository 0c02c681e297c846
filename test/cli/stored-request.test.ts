import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decide } from '../../src/authorization/decide.ts'
import { storedRequest } from '../../src/cli/stored-request.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { Changes, type Storage } from '../../src/storage/storage.ts'
import { openHere } from '../storage/open.ts'
import {
  account,
  aGrant,
  aKey,
  anAlias,
  anOidcProvider,
  aPolicy,
  aPrincipal,
  aRole,
  aService,
  region,
} from '../storage/records.ts'

const policy = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement })
const allow = (Action: string | string[], rest: object = {}) => ({ Effect: 'Allow', Action, Resource: '*', ...rest })
const all = { name: 'all', document: policy(allow('kms:*')) }

const boundary = aPolicy('boundary', policy(allow('kms:ListKeys')))
const alice = aPrincipal('alice', { inlinePolicies: [all], tags: [{ TagKey: 'team', TagValue: 'blue' }] })
const bounded = aPrincipal('bounded', { inlinePolicies: [all], permissionsBoundary: boundary.arn })
const backup = aRole('backup', {
  arn: `arn:aws:iam::${account}:role/service/backup`,
  inlinePolicies: [all],
})
const deploy = aRole('deploy', {
  trustPolicy: policy(
    { Effect: 'Allow', Principal: { AWS: alice.arn }, Action: 'sts:AssumeRole' },
    {
      Effect: 'Deny',
      Principal: '*',
      Action: 'sts:AssumeRole',
      Condition: { StringNotEqualsIfExists: { 'sts:ExternalId': 'ticket-1' } },
    },
  ),
})
const provider = anOidcProvider('oidc.example.com')
const otherProvider = anOidcProvider('oidc.example.org')
const federated = aRole('federated', {
  trustPolicy: policy({
    Effect: 'Allow',
    Principal: { Federated: provider.arn },
    Action: 'sts:AssumeRoleWithWebIdentity',
    Condition: { StringEquals: { 'oidc.example.com:sub': 'x' } },
  }),
})
const integrator = aPrincipal('integrator')
const s3 = aService('s3.amazonaws.com', integrator)
const served = aKey(3, { spec: 'RSA_2048', policy: policy(allow('kms:*', { Principal: { Service: s3.name } })) })
const session = (name: string) => `arn:aws:sts::${account}:assumed-role/backup/${name}`

const key = aKey(1, {
  spec: 'RSA_2048',
  policy: policy(
    allow('kms:*', { Principal: { AWS: account } }),
    allow('kms:Sign', { Principal: { AWS: backup.arn }, Condition: { StringEquals: { 'kms:MessageType': 'DIGEST' } } }),
  ),
})
const alias = anAlias('documents', key)
const idle = aPrincipal('idle', { inlinePolicies: [] })
const grant = aGrant(1, key, {
  grantee: { arn: idle.arn, uniqueId: idle.principalId },
  operations: ['Decrypt'],
  constraints: { EncryptionContextEquals: { Purpose: 'backup' } },
})
const foreign = aKey(2, {
  account: '444455556666',
  arn: key.arn.replace(account, '444455556666'),
  policy: policy(allow(['kms:Sign', 'kms:PutKeyPolicy'], { Principal: '*' })),
})

let storage: Storage
beforeAll(async () => {
  storage = await openHere(sqlite(':memory:', { create: true }))
  const changes = new Changes()
  changes.put('managedPolicies', boundary)
  for (const principal of [alice, bounded, backup, deploy, federated, idle, integrator])
    changes.put('principals', principal)
  for (const one of [provider, otherProvider]) changes.put('oidcProviders', one)
  changes.put('services', s3)
  for (const one of [key, foreign, served]) changes.put('keys', one)
  changes.put('aliases', alias)
  changes.put('grants', grant)
  await storage.commit(changes)
})
afterAll(() => storage.close())

interface Asked {
  readonly principal: string
  readonly action: string
  readonly resource?: string
  readonly context?: Readonly<Record<string, readonly string[]>>
}

function stored({ context = {}, ...asked }: Asked, now = 0) {
  return storedRequest({ ...asked, context: new Map(Object.entries(context)) }, storage, now, region)
}

function outcome(asked: Asked): string {
  const { request, policies } = stored(asked)
  return decide(request, policies).outcome
}

describe('a request of a stored principal', () => {
  const byToken = {
    action: 'sts:AssumeRoleWithWebIdentity',
    resource: federated.arn,
    context: { 'oidc.example.com:sub': ['x'] },
  }
  const assume = { action: 'sts:AssumeRole', resource: deploy.arn, context: { 'sts:ExternalId': ['ticket-1'] } }
  const sign = { action: 'kms:Sign', resource: key.id }
  const digest = { 'kms:MessageType': ['DIGEST'] }

  it.each<[string, Asked, string]>([
    ['a user', { principal: alice.arn, ...sign }, 'Allow'],
    ['a user, of an action of the account', { principal: alice.arn, action: 'KMS:createkey' }, 'Allow'],
    ['a user within a boundary', { principal: bounded.arn, ...sign }, 'ImplicitDeny'],
    ['a role', { principal: backup.arn, ...sign }, 'Allow'],
    ['a user that a trust policy names', { principal: alice.arn, ...assume }, 'Allow'],
    ['a user that a trust policy does not name', { principal: idle.arn, ...assume }, 'ImplicitDeny'],
    [
      'a user with the wrong external id',
      { principal: alice.arn, ...assume, context: { 'sts:ExternalId': ['x'] } },
      'ExplicitDeny',
    ],
    ['a web identity', { principal: provider.arn, ...byToken }, 'Allow'],
    [
      'a web identity without the subject',
      { principal: provider.arn, ...byToken, context: { 'oidc.example.com:sub': ['y'] } },
      'ImplicitDeny',
    ],
    ['a web identity of another provider', { principal: otherProvider.arn, ...byToken }, 'ImplicitDeny'],
    ['a web identity, on a key', { principal: provider.arn, action: 'kms:Sign', resource: key.arn }, 'ImplicitDeny'],
    ['a service', { principal: s3.name, action: 'kms:Sign', resource: served.arn }, 'Allow'],
    [
      'a service that the key policy does not name',
      { principal: s3.name, action: 'kms:Sign', resource: key.arn },
      'ImplicitDeny',
    ],
    [
      'a service in an account in which it may not act',
      { principal: s3.name, action: 'kms:Sign', resource: foreign.arn },
      'ImplicitDeny',
    ],
    ['a service, of an action on no key', { principal: s3.name, action: 'kms:CreateKey' }, 'ImplicitDeny'],
    ['a session of a role, of another role', { principal: session('day'), ...assume }, 'ImplicitDeny'],
    ['a session of a role', { principal: session('day'), ...sign }, 'Allow'],
    [
      'a user, on a key of another account',
      { principal: alice.arn, action: 'kms:Sign', resource: foreign.arn },
      'Allow',
    ],
    [
      'a user, of an action that other accounts cannot be allowed',
      { principal: alice.arn, action: 'kms:PutKeyPolicy', resource: foreign.arn },
      'ImplicitDeny',
    ],
  ])('is decided for %s', (_title, asked, expected) => {
    expect(outcome(asked)).toBe(expected)
  })

  it('may be allowed by a grant, with the encryption context that it names', () => {
    const decrypt = { principal: idle.arn, action: 'kms:Decrypt', resource: key.arn }
    const within = (name: string, value: string) => ({ context: { [`KMS:EncryptionContext:${name}`]: [value] } })
    expect(outcome(decrypt)).toBe('ImplicitDeny')
    expect(outcome({ ...decrypt, ...within('Purpose', 'backup') })).toBe('Allow')
    expect(outcome({ ...decrypt, ...within('purpose', 'backup') })).toBe('ImplicitDeny')
    expect(outcome({ ...decrypt, ...within('Purpose', 'other') })).toBe('ImplicitDeny')
    expect(outcome({ ...decrypt, action: 'kms:Encrypt', ...within('Purpose', 'backup') })).toBe('ImplicitDeny')
  })

  it('has the condition keys of the principal, of the key, of the time, and those given, which come first', () => {
    const { request } = stored(
      {
        principal: alice.arn,
        action: 'kms:Sign',
        resource: alias.arn,
        context: { ...digest, 'AWS:username': ['bob'] },
      },
      1_700_000_000_000,
    )
    const valuesOf = (...names: string[]) => names.map(name => request.context(name)?.[0])
    expect(valuesOf('kms:messagetype', 'kms:keyspec', 'kms:requestalias', 'aws:principaltag/team')).toEqual([
      'DIGEST',
      'RSA_2048',
      alias.name,
      'blue',
    ])
    expect(valuesOf('aws:username', 'aws:epochtime', 'aws:sourceip', 'aws:securetransport')).toEqual([
      'bob',
      '1700000000',
      undefined,
      undefined,
    ])
  })

  it('is of the region of its resource', () => {
    const requestedRegion = (asked: Omit<Asked, 'principal'>) =>
      stored({ principal: alice.arn, ...asked }).request.context('aws:requestedregion')
    expect(requestedRegion({ action: 'kms:ListKeys' })).toEqual([region])
    const elsewhere = `arn:aws:kms:us-east-1:${account}:alias/x`
    expect(requestedRegion({ action: 'kms:CreateAlias', resource: elsewhere })).toEqual(['us-east-1'])
  })

  it.each<[string, Partial<Asked>, string]>([
    [
      'a user that does not exist',
      { principal: alice.arn.replace('alice', 'bob') },
      'no user, role or role session arn:',
    ],
    [
      'a role without its path',
      { principal: backup.arn.replace('service/', '') },
      'no user, role or role session arn:',
    ],
    ['the root user', { principal: `arn:aws:iam::${account}:root` }, 'no user, role or role session arn:'],
    ['no ARN', { principal: 'alice' }, 'no user, role or role session alice'],
    ['a principal of another partition', { principal: alice.arn.replace('aws', 'aws-cn') }, 'no user, role or role'],
    ['the user of a service', { principal: integrator.arn }, 'calls as the service s3.amazonaws.com: name that'],
    ['an unknown action', { action: 'kms:Encrpyt' }, 'kms:Encrpyt is not an action'],
    ['an action without its prefix', { action: 'Sign' }, 'Sign is not an action'],
    ['an operation that needs two permissions', { action: 'kms:ReEncrypt' }, 'kms:ReEncrypt is not an action'],
    ['an action on a key, without one', { resource: '*' }, 'kms:Sign needs a --resource'],
    ['an action on an alias, without one', { action: 'kms:CreateAlias', resource: '*' }, 'needs a --resource'],
    ['an action on no key, with one', { action: 'kms:ListKeys' }, 'kms:ListKeys acts on no resource'],
    ['an action that depends on a grant', { action: 'kms:RetireGrant' }, 'it depends on the grant'],
    [
      'an action on a role, without one',
      { action: 'sts:AssumeRole', resource: '*' },
      'sts:AssumeRole needs a --resource',
    ],
    ['a role that does not exist', { action: 'sts:AssumeRole', resource: `${deploy.arn}2` }, 'there is no such role'],
    ['a key as a role', { action: 'sts:AssumeRole', resource: key.arn }, 'Request ARN is invalid'],
    [
      'an action that needs no permission',
      { action: 'sts:GetCallerIdentity', resource: '*' },
      'it needs no permission',
    ],
    ['a key that does not exist', { resource: key.id.replace('1', '9') }, 'cannot decide kms:Sign on '],
    ['an alias that does not exist', { resource: 'alias/none' }, 'cannot decide kms:Sign on alias/none: Alias '],
  ])('is refused for %s', (_title, change, message) => {
    expect(() => stored({ principal: alice.arn, ...sign, ...change })).toThrow(message)
  })
})
