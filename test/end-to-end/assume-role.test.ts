import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { STS } from '@aws-sdk/client-sts'
import { fromTemporaryCredentials, fromTokenFile } from '@aws-sdk/credential-providers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dateText } from '../../src/apis/service-model/record.ts'
import { type Claims, jwksOf, type SigningKey, signingKey, tokenOf } from '../authentication/web-identity/issuer.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Identity, policyOf, type Role, withIdentities } from './identities.ts'
import { refusal } from './requests.ts'

/** Roles and their sessions, through unmodified clients. */

const other = '444455556666'
const allow = (Action: string | readonly string[], rest: object = {}) => ({
  Effect: 'Allow',
  Action,
  Resource: '*',
  ...rest,
})
const trust = (AWS: string, Action: string | readonly string[] = 'sts:AssumeRole', Condition: object = {}) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS }, Action, Condition }],
})
const root = (account: string) => `arn:aws:iam::${account}:root`
const issuer = 'https://issuer.example.com'
const everyWebIdentity = ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession', 'sts:SetSourceIdentity']
const everySts = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity']

let installation: Installation
let gateway: Gateway
let alice: Identity
let bob: Identity
let stranger: Identity
const roles: Record<string, Role> = {}
/** Of the identity provider. */
let key: SigningKey
/** By access key: making one takes longer than a call. */
const clients = new Map<string, STS>()

beforeAll(async () => {
  installation = await install()
  await withIdentities(installation, async ({ user, role, oidcProvider }) => {
    alice = await user(home, 'alice', { policies: [policyOf(allow('sts:*'))] })
    bob = await user(home, 'bob')
    stranger = await user(other, 'stranger', { policies: [policyOf(allow('sts:*'))] })
    const add = async (account: string, name: string, given: Parameters<typeof role>[2]) => {
      roles[name.slice(name.lastIndexOf('/') + 1)] = await role(account, name, given)
    }
    const mayEverything = { policies: [policyOf(allow(['kms:*', 'sts:*']))] }
    await add(home, 'service/keys', { ...mayEverything, trust: trust(root(home), everySts), maxSessionDuration: 7200 })
    await add(home, 'named', { trust: trust(bob.arn) })
    await add(home, 'guarded', {
      trust: trust(root(home), everySts, { StringEquals: { 'sts:ExternalId': 'ticket-1' } }),
    })
    await add(home, 'untagged', { trust: trust(root(home)) })
    await add(home, 'blue', {
      policies: [policyOf(allow('kms:ListKeys', { Condition: { StringEquals: { 'aws:PrincipalTag/team': 'blue' } } }))],
      trust: trust(root(home), everySts),
    })
    await add(home, 'distrusting', { ...mayEverything, trust: trust(root('999999999999')) })
    await add(other, 'abroad', { trust: trust(root(home)) })

    key = await signingKey('first')
    const jwksFile = join(installation.folder, 'jwks.json')
    writeFileSync(jwksFile, jwksOf(key))
    const { arn } = await oidcProvider(home, { url: issuer, audiences: ['sts.amazonaws.com'], jwksFile })
    const federated = (Condition: object, Action: string | readonly string[] = 'sts:AssumeRoleWithWebIdentity') => ({
      trust: policyOf({ Effect: 'Allow', Principal: { Federated: arn }, Action, Condition }),
    })
    const ofMain = { StringEquals: { 'issuer.example.com:sub': 'repo:octo/app:ref:refs/heads/main' } }
    await add(home, 'ci', { ...mayEverything, ...federated(ofMain), maxSessionDuration: 7200 })
    await add(home, 'teams', federated({ StringLike: { 'issuer.example.com:repository': 'octo/*' } }, everyWebIdentity))
  })
  gateway = await serve(installation)
})

afterAll(async () => {
  for (const client of clients.values()) client.destroy()
  await gateway?.stop()
  installation?.remove()
})

interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

function sts(credentials: Keys): STS {
  const known = clients.get(credentials.accessKeyId)
  const client = known ?? new STS({ endpoint: gateway.url, region: 'us-east-1', credentials, maxAttempts: 1 })
  clients.set(credentials.accessKeyId, client)
  return client
}

const recorded = (requestId: string | undefined) => gateway.records().find(({ requestID }) => requestID === requestId)!

type Passed = Omit<Parameters<STS['assumeRole']>[0], 'RoleArn' | 'RoleSessionName'>

const assume = (by: Keys, role: string, passed: Passed = {}) =>
  sts(by).assumeRole({ RoleArn: roles[role]!.arn, RoleSessionName: 'nightly', ...passed })

/** Credentials of a new session. */
async function session(by: Keys, role: string, passed: Passed = {}): Promise<Keys> {
  const { Credentials } = await assume(by, role, passed)
  const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!
  return { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! }
}

const refusedRole = ({ arn }: Identity, role: string, action = 'AssumeRole') =>
  `AccessDenied: User: ${arn} is not authorized to perform: sts:${action} on resource: ${role}`

describe('AssumeRole', () => {
  it('gives credentials of a session, and puts neither secret nor token on record', async () => {
    const { Credentials, AssumedRoleUser, PackedPolicySize, SourceIdentity, $metadata } = await assume(
      alice.credentials,
      'keys',
    )
    const { arn, principalId } = roles.keys!
    const sessionArn = `arn:aws:sts::${home}:assumed-role/keys/nightly`
    expect(AssumedRoleUser).toEqual({ AssumedRoleId: `${principalId}:nightly`, Arn: sessionArn })
    expect([PackedPolicySize, SourceIdentity]).toEqual([undefined, undefined])
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials!
    const left = Expiration!.getTime() - Date.now()
    expect([left > 3_300_000, left <= 3_600_000]).toEqual([true, true])
    const credentials = { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! }
    await gateway.client({ credentials }).listKeys({})
    expect((await sts(credentials).getCallerIdentity({})).Arn).toBe(sessionArn)

    const record = recorded($metadata.requestId)
    expect(record).toMatchObject({
      eventSource: 'sts.amazonaws.com',
      eventName: 'AssumeRole',
      readOnly: true,
      userIdentity: { type: 'IAMUser', arn: alice.arn },
      requestParameters: { roleArn: arn, roleSessionName: 'nightly' },
      responseElements: {
        credentials: { accessKeyId: AccessKeyId, expiration: dateText(Expiration!) },
        assumedRoleUser: { assumedRoleId: `${principalId}:nightly`, arn: sessionArn },
      },
      resources: [{ ARN: arn, accountId: home, type: 'AWS::IAM::Role' }],
    })
    for (const secret of [SecretAccessKey!, SessionToken!]) expect(JSON.stringify(record)).not.toContain(secret)
  })

  it('is refused in the same words whether the role exists or not', async () => {
    const names = ['distrusting', 'absent', 'service/keys', 'keys']
    for (const name of names) {
      const RoleArn = `arn:aws:iam::${home}:role/${name}`
      const asked = sts(bob.credentials).assumeRole({ RoleArn, RoleSessionName: 'x1' })
      expect(await refusal(asked)).toBe(refusedRole(bob, RoleArn))
    }
    for (const account of [home, other, '999999999999']) {
      const RoleArn = `arn:aws:iam::${account}:role/absent`
      const asked = sts(alice.credentials).assumeRole({ RoleArn, RoleSessionName: 'x1' })
      expect(await refusal(asked)).toBe(refusedRole(alice, RoleArn))
      await expect(asked).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } })
    }
  })

  it('tells the operator that there is no such role', async () => {
    const RoleArn = `arn:aws:iam::${home}:role/absent`
    const asked = sts(alice.credentials).assumeRole({ RoleArn, RoleSessionName: 'x1' })
    const { $metadata } = await asked.catch(thrown => thrown)
    expect(recorded($metadata.requestId)).toMatchObject({
      errorCode: 'AccessDenied',
      additionalEventData: { strongroom: { reasons: expect.arrayContaining([`There is no role ${RoleArn}.`]) } },
    })
  })

  it('needs the trust policy and, where that names the account, the permission of the caller', async () => {
    await assume(bob.credentials, 'named')
    await assume(alice.credentials, 'abroad')
    expect(await refusal(assume(alice.credentials, 'named'))).toBe(refusedRole(alice, roles.named!.arn))
    expect(await refusal(assume(bob.credentials, 'keys'))).toBe(refusedRole(bob, roles.keys!.arn))
    expect(await refusal(assume(stranger.credentials, 'keys'))).toBe(refusedRole(stranger, roles.keys!.arn))
    expect(await refusal(assume(stranger.credentials, 'abroad'))).toBe(refusedRole(stranger, roles.abroad!.arn))
  })

  it('may need an external ID', async () => {
    await assume(alice.credentials, 'guarded', { ExternalId: 'ticket-1' })
    const denied = refusedRole(alice, roles.guarded!.arn)
    expect(await refusal(assume(alice.credentials, 'guarded'))).toBe(denied)
    expect(await refusal(assume(alice.credentials, 'guarded', { ExternalId: 'ticket-2' }))).toBe(denied)
  })

  it.each([
    ['arn:aws:iam::111122223333:user/alice', 'Request ARN is invalid'],
    ['arn:aws-cn:iam::111122223333:role/keys', 'Request ARN is invalid'],
    ['arn:aws:sts::111122223333:assumed-role/keys/x', 'Request ARN is invalid'],
    ['service/keys-of-the-home-account', 'service/keys-of-the-home-account is invalid'],
    [
      'keys',
      "1 validation error detected: Value 'keys' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20",
    ],
  ])('refuses what is no role: %s', async (RoleArn, message) => {
    const asked = sts(alice.credentials).assumeRole({ RoleArn, RoleSessionName: 'nightly' })
    expect(await refusal(asked)).toBe(`ValidationError: ${message}`)
  })

  it.each([
    ['a b', 'Member must satisfy regular expression pattern: [\\w+=,.@-]*'],
    ['x', 'Member must have length greater than or equal to 2'],
    ['x'.repeat(65), 'Member must have length less than or equal to 64'],
  ])('refuses the session name %j', async (RoleSessionName, constraint) => {
    const asked = sts(alice.credentials).assumeRole({ RoleArn: roles.keys!.arn, RoleSessionName })
    expect(await refusal(asked)).toBe(
      `ValidationError: 1 validation error detected: Value '${RoleSessionName}' at 'roleSessionName' failed to satisfy constraint: ${constraint}`,
    )
  })

  it('refuses MFA devices and provided contexts', async () => {
    const asked = assume(alice.credentials, 'keys', { SerialNumber: 'arn:aws:iam::1:mfa/x', TokenCode: '123456' })
    expect(await refusal(asked)).toMatch(/^ValidationError: MFA devices are not supported/)
    const context = { ProviderArn: 'arn:aws:iam::aws:contextProvider/x', ContextAssertion: 'assertion' }
    expect(await refusal(assume(alice.credentials, 'keys', { ProvidedContexts: [context] }))).toBe(
      'UnsupportedOperation: ProvidedContexts is not supported by this gateway.',
    )
  })
})

describe('the length of a session', () => {
  const seconds = async (asked: ReturnType<typeof assume>) => {
    const { Credentials } = await asked
    return Math.round((Credentials!.Expiration!.getTime() - Date.now()) / 100_000) * 100
  }

  it('is what was asked, up to the maximum of the role', async () => {
    expect(await seconds(assume(alice.credentials, 'keys', { DurationSeconds: 7200 }))).toBe(7200)
    expect(await seconds(assume(alice.credentials, 'keys', { DurationSeconds: 900 }))).toBe(900)
    expect(await refusal(assume(alice.credentials, 'keys', { DurationSeconds: 7201 }))).toBe(
      'ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    )
  })

  it('is not said to who may not assume the role', async () => {
    const asked = assume(bob.credentials, 'keys', { DurationSeconds: 7201 })
    expect(await refusal(asked)).toBe(refusedRole(bob, roles.keys!.arn))
  })

  it('is at most an hour with temporary credentials', async () => {
    const { Credentials } = await sts(alice.credentials).getSessionToken({})
    const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!
    const ofUser = { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! }
    for (const credentials of [ofUser, await session(alice.credentials, 'keys')]) {
      expect(await seconds(assume(credentials, 'keys', { DurationSeconds: 3600 }))).toBe(3600)
      expect(await refusal(assume(credentials, 'keys', { DurationSeconds: 3601 }))).toBe(
        'ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
      )
    }
  })
})

const listing = JSON.stringify(policyOf(allow('kms:ListKeys')))

describe('session policies', () => {
  const mayOnly = async (credentials: Keys, allowed: string) => {
    const kms = gateway.client({ credentials })
    const outcomes = await Promise.all([
      refusal(kms.listKeys({})),
      refusal(kms.listAliases({})),
      refusal(kms.generateRandom({ NumberOfBytes: 1 })),
    ])
    expect(outcomes.map((outcome, i) => (outcome === 'no refusal' ? ['keys', 'aliases', 'random'][i] : ''))).toEqual(
      ['keys', 'aliases', 'random'].map(name => (allowed.includes(name) ? name : '')),
    )
    return outcomes
  }

  it('limit the session, whether as a text or by their ARN', async () => {
    const [, refused] = await mayOnly(await session(alice.credentials, 'keys', { Policy: listing }), 'keys')
    expect(refused).toMatch(/ because no session policy allows the kms:ListAliases action$/)
    const PolicyArns = [{ arn: 'arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser' }]
    await mayOnly(await session(alice.credentials, 'keys', { PolicyArns }), 'keys aliases random')
    const random = JSON.stringify(policyOf(allow('kms:GenerateRandom')))
    await mayOnly(await session(alice.credentials, 'keys', { Policy: random, PolicyArns: [] }), 'random')
  })

  it('take space, of which the answer says how much', async () => {
    const { PackedPolicySize } = await assume(alice.credentials, 'keys', { Policy: listing })
    expect(PackedPolicySize).toBeGreaterThan(0)
    expect(PackedPolicySize).toBeLessThan(20)
    const Resource = `arn:aws:kms:*:*:key/${randomBytes(6000).toString('base64url')}`
    const Policy = JSON.stringify(policyOf(allow('kms:ListKeys', { Resource })))
    expect(await refusal(assume(alice.credentials, 'keys', { Policy }))).toMatch(
      /^PackedPolicyTooLargeException: Packed policy consumes \d+% of allotted space, please use smaller policy\.$/,
    )
  })

  it.each<[string, Passed, RegExp]>([
    ['no JSON', { Policy: '{' }, /^MalformedPolicyDocumentException: /],
    ['a principal', { Policy: JSON.stringify(trust('*')) }, /^MalformedPolicyDocumentException: /],
    [
      'an unknown managed policy',
      { PolicyArns: [{ arn: `arn:aws:iam::${home}:policy/absent` }] },
      /^ValidationError: Policy arn:\S+ does not exist or is not attachable\.$/,
    ],
    [
      'too many managed policies',
      { PolicyArns: Array.from({ length: 11 }, (_, i) => ({ arn: `arn:aws:iam::aws:policy/P${i}` })) },
      /^ValidationError: .* at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to 10$/,
    ],
  ])('are refused: %s', async (_, passed, message) => {
    expect(await refusal(assume(alice.credentials, 'keys', passed))).toMatch(message)
  })
})

describe('session tags', () => {
  const team = (Value: string) => ({ Key: 'team', Value })
  const listKeys = (credentials: Keys) => refusal(gateway.client({ credentials }).listKeys({}))

  it('are tags of the principal', async () => {
    const blue = await session(alice.credentials, 'blue', { Tags: [team('blue')] })
    const red = await session(alice.credentials, 'blue', { Tags: [team('red')] })
    expect(await listKeys(blue)).toBe('no refusal')
    expect(await listKeys(red)).toMatch(/^AccessDeniedException: /)
    const { $metadata } = await assume(alice.credentials, 'blue', { Tags: [team('blue')], TransitiveTagKeys: ['team'] })
    expect(recorded($metadata.requestId).requestParameters).toMatchObject({
      tags: [{ key: 'team', value: 'blue' }],
      transitiveTagKeys: ['team'],
    })
  })

  it('need a permission of their own', async () => {
    expect(await refusal(assume(alice.credentials, 'untagged', { Tags: [team('blue')] }))).toBe(
      refusedRole(alice, roles.untagged!.arn, 'TagSession'),
    )
  })

  it('are passed on through role chaining if they are transitive', async () => {
    const Tags = [team('blue'), { Key: 'task', Value: 'x' }]
    const first = await session(alice.credentials, 'keys', { Tags, TransitiveTagKeys: ['TEAM'] })
    const { Credentials, $metadata } = await assume(first, 'blue')
    const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!
    const second = { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! }
    expect(await listKeys(second)).toBe('no refusal')
    expect(recorded($metadata.requestId).requestParameters).toMatchObject({ incomingTransitiveTags: { team: 'blue' } })
    expect(await refusal(assume(first, 'blue', { Tags: [team('red')] }))).toBe(
      "ValidationError: One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
    )
    // Tags that are passed on need the permission, too.
    expect(await refusal(assume(first, 'untagged'))).toMatch(/ is not authorized to perform: sts:TagSession on /)
    const untagged = await session(await session(alice.credentials, 'keys', { Tags }), 'blue')
    expect(await listKeys(untagged)).toMatch(/^AccessDeniedException: /)
  })

  it.each<[string, Passed, string]>([
    [
      'twice',
      { Tags: [team('blue'), { Key: 'Team', Value: 'red' }] },
      'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
    ],
    [
      'of AWS',
      { Tags: [{ Key: 'aws:x', Value: '' }] },
      'aws: prefixed tag key names are not allowed for external use.',
    ],
    [
      'transitive, and not passed',
      { Tags: [team('blue')], TransitiveTagKeys: ['task'] },
      'The specified transitive tag key must be included in the requested tags.',
    ],
  ])('are refused: %s', async (_, passed, message) => {
    expect(await refusal(assume(alice.credentials, 'keys', passed))).toBe(`ValidationError: ${message}`)
  })
})

describe('a source identity', () => {
  it('stays the same through role chaining', async () => {
    const { SourceIdentity, $metadata } = await assume(alice.credentials, 'keys', { SourceIdentity: 'Alice' })
    expect(SourceIdentity).toBe('Alice')
    expect(recorded($metadata.requestId).requestParameters).toMatchObject({ sourceIdentity: 'Alice' })
    const first = await session(alice.credentials, 'keys', { SourceIdentity: 'Alice' })
    expect((await assume(first, 'blue')).SourceIdentity).toBe('Alice')
    expect((await assume(first, 'blue', { SourceIdentity: 'Alice' })).SourceIdentity).toBe('Alice')
    expect(await refusal(assume(first, 'blue', { SourceIdentity: 'Bob' }))).toBe(
      'ValidationError: The source identity of the calling session cannot be changed.',
    )
  })

  it('needs a permission of its own', async () => {
    const denied = refusedRole(alice, roles.untagged!.arn, 'SetSourceIdentity')
    expect(await refusal(assume(alice.credentials, 'untagged', { SourceIdentity: 'Alice' }))).toBe(denied)
    const first = await session(alice.credentials, 'keys', { SourceIdentity: 'Alice' })
    expect(await refusal(assume(first, 'untagged'))).toMatch(/ to perform: sts:SetSourceIdentity on /)
  })
})

const main = 'repo:octo/app:ref:refs/heads/main'
const token = (claims: Claims = {}) => tokenOf(key, issuer, Date.now(), { sub: main, ...claims })

/** Without credentials: the client signs nothing. */
async function assumeByToken(role: string, claims: Claims = {}, passed: object = {}) {
  const client = new STS({ endpoint: gateway.url, region: 'us-east-1', maxAttempts: 1 })
  const WebIdentityToken = await token(claims)
  const arn = roles[role]?.arn ?? role
  try {
    return await client.assumeRoleWithWebIdentity({ RoleArn: arn, RoleSessionName: 'job', WebIdentityToken, ...passed })
  } finally {
    client.destroy()
  }
}

describe('AssumeRoleWithWebIdentity', () => {
  it('gives credentials to whom the trust policy names, without a signature', async () => {
    const { Credentials, $metadata, ...answer } = await assumeByToken('ci', {}, { DurationSeconds: 7200 })
    const arn = `arn:aws:sts::${home}:assumed-role/ci/job`
    const provider = `arn:aws:iam::${home}:oidc-provider/issuer.example.com`
    expect(answer).toEqual({
      AssumedRoleUser: { Arn: arn, AssumedRoleId: `${roles.ci!.principalId}:job` },
      Audience: 'sts.amazonaws.com',
      Provider: provider,
      SubjectFromWebIdentityToken: main,
    })
    const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!
    const credentials = { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! }
    const { $metadata: listed } = await gateway.client({ credentials }).listKeys({})
    expect(recorded(listed.requestId).userIdentity).toMatchObject({ arn })
    const record = recorded($metadata.requestId)
    expect(record).toMatchObject({
      eventName: 'AssumeRoleWithWebIdentity',
      userIdentity: { type: 'WebIdentityUser', userName: main, identityProvider: provider },
      requestParameters: { roleArn: roles.ci!.arn, roleSessionName: 'job', durationSeconds: 7200 },
      responseElements: { subjectFromWebIdentityToken: main, credentials: { accessKeyId: AccessKeyId } },
    })
    for (const secret of [SecretAccessKey!, SessionToken!]) expect(JSON.stringify(record)).not.toContain(secret)
  })

  it('is refused in the same words whether the role exists, trusts the provider or not', async () => {
    const denied = 'AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity'
    expect(await refusal(assumeByToken('ci', { sub: 'repo:octo/app:ref:refs/heads/other' }))).toBe(denied)
    expect(await refusal(assumeByToken('keys'))).toBe(denied)
    expect(await refusal(assumeByToken(`arn:aws:iam::${home}:role/absent`))).toBe(denied)
  })

  it('decides by the claims of the token', async () => {
    await assumeByToken('teams', { repository: 'octo/app' })
    for (const claims of [{}, { repository: 'evil/app' }, { repository: { a: 'octo/app' } }])
      expect(await refusal(assumeByToken('teams', claims))).toMatch(/^AccessDenied: /)
  })

  it('starts the session with tags and source identity of the token', async () => {
    const tags = { principal_tags: { team: ['blue'] }, transitive_tag_keys: ['team'] }
    const claims = { 'https://aws.amazon.com/tags': tags, 'https://aws.amazon.com/source_identity': 'Octo' }
    const { SourceIdentity, PackedPolicySize } = await assumeByToken('teams', { repository: 'octo/app', ...claims })
    expect([SourceIdentity, PackedPolicySize! > 0]).toEqual(['Octo', true])
    // Its trust policy allows neither.
    expect(await refusal(assumeByToken('ci', claims))).toBe('AccessDenied: Not authorized to perform sts:TagSession')
    for (const [claim, value] of [
      ['https://aws.amazon.com/tags', 'x'],
      ['https://aws.amazon.com/tags', { principal_tags: { team: ['a', 'b'] } }],
      ['https://aws.amazon.com/tags', { principal_tags: { team: [7] } }],
      ['https://aws.amazon.com/source_identity', 'a b'],
    ] as const)
      expect(await refusal(assumeByToken('teams', { repository: 'octo/app', [claim]: value }))).toBe(
        `IDPRejectedClaimException: The claim ${claim} of the token has not the form that it must have.`,
      )
  })

  it.each<[string, Claims, object, RegExp]>([
    [
      'a wrong audience',
      { aud: 'x' },
      {},
      /^InvalidIdentityTokenException: .*for 'x'; the provider accepts 'sts\.amazonaws\.com'\.$/,
    ],
    ['an expired token', { exp: 1 }, {}, /^ExpiredTokenException: Token expired: /],
    ['another issuer', { iss: 'https://x' }, {}, /^InvalidIdentityTokenException: No OpenIDConnect provider found/],
    ['a long session', {}, { DurationSeconds: 7201 }, /^ValidationError: The requested DurationSeconds exceeds/],
    ['an OAuth provider', {}, { ProviderId: 'www.amazon.com' }, /^ValidationError: ProviderId is for OAuth/],
    ['no role', {}, { RoleArn: 'arn:aws:iam::111122223333:user/alice' }, /^ValidationError: Request ARN is invalid$/],
    ['no token', {}, { WebIdentityToken: 'abcd' }, /^InvalidIdentityTokenException: The ID Token provided is not/],
  ])('is refused with the codes of STS: %s', async (_, claims, passed, message) => {
    const asked = assumeByToken('ci', claims, passed)
    expect(await refusal(asked)).toMatch(message)
    const { $metadata } = await asked.catch(thrown => thrown)
    expect(recorded($metadata.requestId).userIdentity?.type).toBe(
      /DurationSeconds|OAuth/.test(String(message)) ? 'WebIdentityUser' : undefined,
    )
  })
})

const run = promisify(execFile)
const found = async (command: string, ...args: string[]) => run(command, args).then(Boolean, () => false)
const [hasCli, hasBoto3] = await Promise.all([found('aws', '--version'), found('python3', '-c', 'import boto3')])

describe('an unmodified client assumes a role', () => {
  const sessionNamed = (name: string) => `arn:aws:sts::${home}:assumed-role/keys/${name}`

  it('of the SDK, by fromTemporaryCredentials', async () => {
    const credentials = fromTemporaryCredentials({
      masterCredentials: alice.credentials,
      params: { RoleArn: roles.keys!.arn, RoleSessionName: 'sdk' },
      clientConfig: { endpoint: gateway.url, region: 'us-east-1' },
    })
    expect((await gateway.client({ credentials }).listKeys({})).Keys).toEqual([])
    expect((await sts(await credentials()).getCallerIdentity({})).Arn).toBe(sessionNamed('sdk'))
  })

  const tokenFile = async () => {
    const file = join(installation.folder, 'token')
    writeFileSync(file, await token())
    return file
  }

  it('of the SDK, by fromTokenFile', async () => {
    const credentials = fromTokenFile({
      webIdentityTokenFile: await tokenFile(),
      roleArn: roles.ci!.arn,
      roleSessionName: 'file',
      clientConfig: { endpoint: gateway.url, region: 'us-east-1' },
    })
    expect((await gateway.client({ credentials }).listKeys({})).Keys).toEqual([])
  })

  it.skipIf(!hasBoto3)(
    'of boto3, by web_identity_token_file',
    async () => {
      const config = join(installation.folder, 'aws-config')
      const text = `[profile keys]\nrole_arn = ${roles.ci!.arn}\nweb_identity_token_file = ${await tokenFile()}\nrole_session_name = boto3\n`
      const env = environment()
      writeFileSync(config, text)
      const { stdout } = await run('python3', ['-c', 'import boto3; print(boto3.client("kms").list_keys()["Keys"])'], {
        env,
      })
      expect(stdout.trim()).toBe('[]')
    },
    30_000,
  )

  /** A configuration with the profiles `alice` and `keys`, as environment variables. */
  function environment(): NodeJS.ProcessEnv {
    const { accessKeyId, secretAccessKey } = alice.credentials
    const config = join(installation.folder, 'aws-config')
    const source = `[profile alice]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`
    const role = `[profile keys]\nrole_arn = ${roles.keys!.arn}\nsource_profile = alice\nrole_session_name = profile\n`
    writeFileSync(config, source + role)
    return {
      PATH: process.env.PATH,
      HOME: installation.folder,
      AWS_CONFIG_FILE: config,
      AWS_PROFILE: 'keys',
      AWS_REGION: 'us-east-1',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ENDPOINT_URL_KMS: gateway.url,
      AWS_ENDPOINT_URL_STS: gateway.url,
    }
  }

  it.skipIf(!hasCli)(
    'of the AWS CLI, by a profile',
    async () => {
      const env = environment()
      const aws = async (...args: string[]) =>
        JSON.parse((await run('aws', [...args, '--output', 'json'], { env })).stdout)
      expect((await aws('sts', 'get-caller-identity')).Arn).toBe(sessionNamed('profile'))
      expect((await aws('kms', 'list-keys')).Keys).toEqual([])
    },
    30_000,
  )

  it.skipIf(!hasBoto3)(
    'of boto3, by a profile',
    async () => {
      const code =
        "import boto3; print(boto3.client('kms').list_keys()['Keys'], boto3.client('sts').get_caller_identity()['Arn'])"
      const { stdout } = await run('python3', ['-c', code], { env: environment() })
      expect(stdout.trim()).toBe(`[] ${sessionNamed('profile')}`)
    },
    30_000,
  )
})

// At the end, as the tests above expect no keys.
describe('a key policy', () => {
  it('escapes the limits of a session policy for the session that it names, not for its role or account', async () => {
    const sessionArn = (name: string) => `arn:aws:sts::${home}:assumed-role/keys/${name}`
    const administrator = gateway.client()
    const keyFor = async (AWS: string) => {
      const Statement = [
        { Effect: 'Allow', Principal: { AWS: root(home) }, Action: 'kms:*', Resource: '*' },
        { Effect: 'Allow', Principal: { AWS }, Action: 'kms:Encrypt', Resource: '*' },
      ]
      const { KeyMetadata } = await administrator.createKey({ Policy: JSON.stringify({ Statement }) })
      return KeyMetadata!.KeyId!
    }
    const named = [sessionArn('nightly'), sessionArn('weekly'), roles.keys!.arn, root(home)]
    const keys = await Promise.all(named.map(keyFor))
    const outcomes = async (Policy: string) => {
      const kms = gateway.client({ credentials: await session(alice.credentials, 'keys', { Policy }) })
      return Promise.all(keys.map(KeyId => refusal(kms.encrypt({ KeyId, Plaintext: Buffer.from('x') }))))
    }
    const silent = expect.stringMatching(/ because no session policy allows the kms:Encrypt action$/)
    expect(await outcomes(listing)).toEqual(['no refusal', silent, silent, silent])
    const denying = JSON.stringify(policyOf(allow('kms:*'), { ...allow('kms:Encrypt'), Effect: 'Deny' }))
    const denied = expect.stringMatching(/ with an explicit deny in a session policy$/)
    expect(await outcomes(denying)).toEqual([denied, denied, denied, denied])
  })
})
