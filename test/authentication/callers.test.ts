import { describe, expect, it } from 'vitest'
import { callerFinder } from '../../src/authentication/callers.ts'
import type { Signer } from '../../src/authentication/sigv4.ts'
import type { Caller } from '../../src/model/identities/caller.ts'
import { effectivePolicies } from '../../src/model/identities/effective-policies.ts'
import type { Principal, User } from '../../src/model/identities/principal.ts'
import type { Service } from '../../src/model/identities/service.ts'
import type { Session } from '../../src/model/identities/session.ts'
import { account, anAccessKey, aPolicy, aPrincipal, aRole, aService } from '../storage/records.ts'

const region = 'eu-west-1'
const user = aPrincipal('alice', { arn: `arn:aws:iam::${account}:user/division/alice` })
const role = aRole('backup', { arn: `arn:aws:iam::${account}:role/service/backup` })
const now = 1_700_000_000_000
const userSession: Session = {
  accessKeyId: 'ASIAALICE',
  principalId: user.principalId,
  issuedAt: now - 600_000,
  expiresAt: now + 1,
}
const roleSession: Session = {
  ...userSession,
  accessKeyId: 'ASIANIGHT',
  principalId: role.principalId,
  role: { name: 'night' },
}

const boundary = aPolicy('boundary', '{"Version":"2012-10-17"}')
const policies = { managedPolicy: () => boundary, group: () => undefined }

/** One that a service passes on. */
const passedOn: Session = {
  ...roleSession,
  role: { name: 'night', policies: ['{}'], tags: [{ TagKey: 'team', TagValue: 'red' }] },
}

/** Finds callers among principals that can be replaced. */
function finding(...all: Principal[]) {
  const known = new Map(all.map(principal => [principal.arn, principal]))
  const records = {
    find: (arn: string) => known.get(arn),
    withId: (id: string) => [...known.values()].find(({ principalId }) => principalId === id),
    named: (_account: string, type: string, name: string) =>
      [...known.values()].find(principal => principal.type === type && principal.name === name),
    isKnown: (of: string) => of === account,
  }
  const services: Service[] = []
  let time = now
  const principals = { ...records, policiesOf: (of: Principal) => effectivePolicies(of, policies) }
  const ofUser = (arn: string) => services.find(({ userArn }) => userArn === arn)
  const identities = { principals, services: { ofUser }, version: () => services.length }
  const sessionOf = async (token: string, id: string) =>
    token === 'TOKEN' && id === 'ASIANIGHT' ? passedOn : undefined
  const find = callerFinder(identities, { clock: () => time, services: true, sessionOf })
  // Only of a session that a service passes on there is a promise.
  const callerOf = (signer: Signer, headers: Readonly<Record<string, string | string[]>> = {}) =>
    find(signer, headers) as Caller
  const at = (moment: number) => {
    time = moment
  }
  return { known, services, principals, callerOf, at }
}

describe('the caller behind an access key', () => {
  it('is the user to whom it belongs', () => {
    const { callerOf } = finding(user)
    expect(callerOf({ credentials: anAccessKey('AKIAALICE', user), region })).toEqual({
      type: 'user',
      arn: user.arn,
      account,
      userName: 'alice',
      principalId: user.principalId,
      policies: [user.inlinePolicies[0]!.document],
      permissionsBoundary: undefined,
      tags: [],
      accessKeyId: 'AKIAALICE',
      session: undefined,
      region,
    })
  })

  it('is the session of a role, whose ARN has no path', () => {
    const limited = { ...role, permissionsBoundary: boundary.arn, tags: [{ TagKey: 'team', TagValue: 'storage' }] }
    const { callerOf } = finding(limited)
    const credentials = { ...roleSession, role: { name: 'night', policies: ['{"Version":"2012-10-17"}'] } }
    expect(callerOf({ credentials, region })).toEqual({
      type: 'assumedRole',
      arn: `arn:aws:sts::${account}:assumed-role/backup/night`,
      roleArn: role.arn,
      roleName: 'backup',
      sessionName: 'night',
      sessionPolicies: ['{"Version":"2012-10-17"}'],
      issuedAt: roleSession.issuedAt,
      transitiveTagKeys: undefined,
      sourceIdentity: undefined,
      federation: undefined,
      account,
      principalId: `${role.principalId}:night`,
      policies: [role.inlinePolicies[0]!.document],
      permissionsBoundary: boundary.document,
      tags: [{ TagKey: 'team', TagValue: 'storage' }],
      accessKeyId: 'ASIANIGHT',
      region,
    })
  })

  it('has the ARNs of the partition that it calls', () => {
    const { callerOf } = finding(role)
    expect(callerOf({ credentials: roleSession, region: 'cn-north-1' })).toMatchObject({
      arn: `arn:aws-cn:sts::${account}:assumed-role/backup/night`,
      roleArn: `arn:aws-cn:iam::${account}:role/service/backup`,
    })
  })

  it('is the same object while nothing changes, so that what is known of it can be kept', () => {
    const { callerOf } = finding(user)
    const accessKey = anAccessKey('AKIAALICE', user)
    expect(callerOf({ credentials: accessKey, region })).toBe(callerOf({ credentials: accessKey, region }))
  })

  const changes: Record<string, Partial<User>> = {
    tags: { tags: [{ TagKey: 'team', TagValue: 'storage' }] },
    principalId: { principalId: 'AIDAANOTHER' },
  }
  it.each(Object.entries(changes))('has the new %s of its principal in the next call', (member, change) => {
    const { known, callerOf } = finding(user)
    const accessKey = anAccessKey('AKIAALICE', user)
    callerOf({ credentials: accessKey, region })
    known.set(user.arn, { ...user, ...change })
    expect(callerOf({ credentials: accessKey, region })).toHaveProperty(member, change[member as keyof Principal])
  })

  it('has the region of each call', () => {
    const { callerOf } = finding(role)
    const regions = ['eu-west-1', 'us-east-1', 'eu-west-1']
    expect(regions.map(region => callerOf({ credentials: roleSession, region }).region)).toEqual(regions)
  })

  it('is unknown when the user is gone, or if a role has an access key without a session', () => {
    const { known, callerOf } = finding(user, role)
    const accessKey = anAccessKey('AKIAALICE', user)
    callerOf({ credentials: accessKey, region })
    known.delete(user.arn)
    const refused = expect.objectContaining({ code: 'UnrecognizedClient' })
    expect(() => callerOf({ credentials: accessKey, region })).toThrow(refused)
    expect(() => callerOf({ credentials: anAccessKey('AKIAROLE', role), region })).toThrow(refused)
  })
})

describe('the caller behind a session', () => {
  const expired = expect.objectContaining({
    code: 'ExpiredToken',
    message: 'The security token included in the request is expired',
  })
  const invalid = expect.objectContaining({ code: 'UnrecognizedClient' })

  it('of a user is that user, who knows since when', () => {
    const { callerOf } = finding(user)
    expect(callerOf({ credentials: userSession, region })).toMatchObject({
      type: 'user',
      arn: user.arn,
      accessKeyId: 'ASIAALICE',
      session: { issuedAt: userSession.issuedAt, expiresAt: userSession.expiresAt },
    })
  })

  it('has the tags of the session over those of its role, whatever their case', () => {
    const tag = (TagKey: string, TagValue: string) => ({ TagKey, TagValue })
    const tagged = { ...role, tags: [tag('Team', 'storage'), tag('site', 'Basel')] }
    const { callerOf } = finding(tagged)
    const federation = { provider: 'arn:aws:iam::111122223333:oidc-provider/ci', subject: 's', audience: 'a' }
    const passed = { tags: [tag('team', 'audit')], transitiveTagKeys: ['team'], sourceIdentity: 'alice', federation }
    const caller = callerOf({ credentials: { ...roleSession, role: { name: 'night', ...passed } }, region })
    expect(caller).toMatchObject({ ...passed, tags: [tag('site', 'Basel'), tag('team', 'audit')] })
    expect(callerOf({ credentials: roleSession, region }).tags).toBe(tagged.tags)
  })

  it.each([
    ['user', user, userSession],
    ['role', role, roleSession],
  ])('of a %s ends exactly when it expires', (_whose, principal, credentials) => {
    const { callerOf, at } = finding(principal)
    at(credentials.expiresAt - 1)
    callerOf({ credentials, region })
    at(credentials.expiresAt)
    expect(() => callerOf({ credentials, region })).toThrow(expired)
    at(credentials.expiresAt - 1)
    callerOf({ credentials, region })
  })

  it.each([
    ['user', user, userSession],
    ['role', role, roleSession],
  ])('of a %s is unknown if it was issued when sessions were revoked, or before', (_whose, principal, credentials) => {
    const { known, callerOf } = finding(principal)
    const revoked = (sessionsRevokedBefore: number) =>
      known.set(principal.arn, { ...principal, sessionsRevokedBefore } as Principal)
    callerOf({ credentials, region })
    revoked(credentials.issuedAt - 1)
    callerOf({ credentials, region })
    for (const at of [credentials.issuedAt, credentials.issuedAt + 1, now + 10 ** 9]) {
      revoked(at)
      expect(() => callerOf({ credentials, region })).toThrow(invalid)
    }
  })

  it('of a role ends earlier once the maximum of the role is lowered', () => {
    const { known, callerOf, at } = finding(role)
    const credentials = { ...roleSession, expiresAt: roleSession.issuedAt + 7_200_000 }
    const lower = (maxSessionDuration: number) => known.set(role.arn, { ...role, maxSessionDuration } as Principal)
    lower(7200)
    at(credentials.issuedAt + 3_600_000)
    callerOf({ credentials, region })
    lower(3600)
    expect(() => callerOf({ credentials, region })).toThrow(expired)
    at(credentials.issuedAt + 3_599_999)
    callerOf({ credentials, region })
  })

  it('of a role that is gone is unknown, also when there is another one with its name and ARN', () => {
    const { known, callerOf } = finding(role)
    callerOf({ credentials: roleSession, region })
    known.set(role.arn, { ...role, principalId: 'AROAANOTHER' })
    expect(() => callerOf({ credentials: roleSession, region })).toThrow(invalid)
    known.delete(role.arn)
    expect(() => callerOf({ credentials: roleSession, region })).toThrow(invalid)
  })

  it('is unknown if it is one of a role without a role session', () => {
    const { callerOf } = finding(role)
    const { role: _, ...credentials } = roleSession
    expect(() => callerOf({ credentials, region })).toThrow(invalid)
  })
})

describe('a service', () => {
  const service: Service = aService('s3.amazonaws.com', user)
  const key = anAccessKey('AKIASERVICE', user)
  const bob = aPrincipal('bob', { arn: `arn:aws:iam::${account}:user/division/bob` })
  const bucket = 'arn:aws:s3:::bucket'
  const queue = `arn:aws:sqs:${region}:${account}:queue`
  const [sourceArn, sourceAccount, onBehalfOf] = [
    'x-strongroom-source-arn',
    'x-strongroom-source-account',
    'x-strongroom-on-behalf-of',
  ]
  const calling = (rest: Partial<Service> = {}) => {
    const found = finding(user, bob, role)
    found.services.push({ ...service, ...rest })
    return (headers: Readonly<Record<string, string | string[]>> = {}) =>
      found.callerOf({ credentials: key, region }, headers)
  }

  it('calls as itself, not as its user', () => {
    expect(calling()()).toEqual({
      type: 'service',
      arn: 's3.amazonaws.com',
      service: 's3.amazonaws.com',
      account: '',
      accounts: [account],
      principalId: 's3.amazonaws.com',
      accessKeyId: 'AKIASERVICE',
      policies: [],
      tags: [],
      region,
      sourceArn: undefined,
      sourceAccount: undefined,
    })
  })

  it.each([
    ['a bucket', { [sourceArn]: bucket, [sourceAccount]: account }, { sourceArn: bucket, sourceAccount: account }],
    ['a queue, whose ARN says its account', { [sourceArn]: queue }, { sourceArn: queue, sourceAccount: account }],
    ['an account', { [sourceAccount]: account }, { sourceArn: undefined, sourceAccount: account }],
  ])('calls for %s', (_what, headers, expected) => {
    expect(calling()(headers)).toMatchObject(expected)
  })

  it.each([['a user', bob.arn, { type: 'user', arn: bob.arn, principalId: bob.principalId }]])(
    'calls on behalf of %s, with its policies',
    (_what, arn, expected) => {
      const caller = calling()({ [onBehalfOf]: arn })
      expect(caller).toMatchObject({
        ...expected,
        policies: [bob.inlinePolicies[0]!.document],
        accessKeyId: 'AKIASERVICE',
        via: { service: 's3.amazonaws.com', accessKeyId: 'AKIASERVICE' },
      })
    },
  )

  const night = `arn:aws:sts::${account}:assumed-role/backup/night`
  const passed = { 'x-strongroom-session-access-key-id': 'ASIANIGHT', 'x-strongroom-session-token': 'TOKEN' }

  it('calls on behalf of a role session by its session token, within its limits', async () => {
    const caller = await calling()({ [onBehalfOf]: night, ...passed })
    expect(caller).toMatchObject({
      type: 'assumedRole',
      arn: night,
      sessionPolicies: passedOn.role!.policies,
      tags: passedOn.role!.tags,
      issuedAt: passedOn.issuedAt,
      accessKeyId: 'AKIASERVICE',
      via: { service: 's3.amazonaws.com' },
    })
  })

  it.each<[string, Readonly<Record<string, string>>]>([
    ['of another session', { [onBehalfOf]: night.replace('night', 'day'), ...passed }],
    ['of a user', { [onBehalfOf]: bob.arn, ...passed }],
    ['for another access key', { [onBehalfOf]: night, ...passed, 'x-strongroom-session-access-key-id': 'ASIAOTHER' }],
    ['that was not made here', { [onBehalfOf]: night, ...passed, 'x-strongroom-session-token': 'FORGED' }],
  ])('is refused with a session token %s', async (_what, headers) => {
    await expect(async () => calling()(headers)).rejects.toMatchObject({ code: 'AccessDenied' })
  })

  it.each([
    ['without the token of a role session', { [onBehalfOf]: night }],
    ['with a token without its access key', { [onBehalfOf]: night, 'x-strongroom-session-token': 'TOKEN' }],
    ['with an access key without its token', { [onBehalfOf]: bob.arn, 'x-strongroom-session-access-key-id': 'A' }],
  ])('is refused %s', (_what, headers) => {
    expect(() => calling()(headers)).toThrow(expect.objectContaining({ code: 'Validation' }))
  })

  it('may not use a session that has ended, or whose role has revoked it', async () => {
    const found = finding(user, role)
    found.services.push(service)
    const call = async () => found.callerOf({ credentials: key, region }, { [onBehalfOf]: night, ...passed })
    found.at(passedOn.expiresAt)
    await expect(call()).rejects.toMatchObject({ code: 'ExpiredToken' })
    found.at(now)
    found.known.set(role.arn, { ...role, sessionsRevokedBefore: passedOn.issuedAt })
    await expect(call()).rejects.toMatchObject({ code: 'UnrecognizedClient' })
  })

  it.each<[string, Readonly<Record<string, string | string[]>>, string, string]>([
    ['no ARN', { [sourceArn]: 'bucket' }, 'Validation', `${sourceArn} is not an ARN`],
    ['an ARN in two lines', { [sourceArn]: [bucket, bucket] }, 'Validation', `${sourceArn} is sent twice`],
    ['no account', { [sourceAccount]: '1234' }, 'Validation', `${sourceAccount} is not the number of an account`],
    [
      'an ARN of another account',
      { [sourceArn]: queue, [sourceAccount]: '444455556666' },
      'Validation',
      `${sourceArn} is of another account than ${sourceAccount}`,
    ],
    [
      'an account that is not its own',
      { [sourceAccount]: '444455556666' },
      'AccessDenied',
      's3.amazonaws.com may not act in the account 444455556666.',
    ],
    [
      'an ARN in such an account',
      { [sourceArn]: queue.replace(account, '444455556666') },
      'AccessDenied',
      's3.amazonaws.com may not act in the account 444455556666.',
    ],
    [
      'both a source and a caller',
      { [sourceArn]: bucket, [onBehalfOf]: bob.arn },
      'Validation',
      `${onBehalfOf} is not sent with ${sourceArn} or ${sourceAccount}`,
    ],
  ])('is refused for %s', (_what, headers, code, message) => {
    expect(() => calling()(headers)).toThrow(expect.objectContaining({ code, message }))
  })

  it.each([
    ['nobody', `arn:aws:iam::${account}:user/nobody`],
    ['a user without its path', `arn:aws:iam::${account}:user/bob`],
    ['a role without a session', role.arn],
    ['an account', `arn:aws:iam::${account}:root`],
    ['a user of an account in which it may not act', `arn:aws:iam::444455556666:user/bob`],
    ['a session of such a role', `arn:aws:sts::444455556666:assumed-role/backup/night`],
    ['a unique id', bob.principalId],
    ['another partition', bob.arn.replace('arn:aws:', 'arn:aws-cn:')],
    ['itself, or another service', user.arn],
    ['no ARN', ''],
  ])('may not call on behalf of %s', (_whom, arn) => {
    const message = `s3.amazonaws.com may not call on behalf of ${arn}.`
    expect(() => calling()({ [onBehalfOf]: arn })).toThrow(expect.objectContaining({ code: 'AccessDenied', message }))
  })

  it('may not call on behalf of anybody in an account that it lost', () => {
    expect(() => calling({ accounts: [] })({ [onBehalfOf]: bob.arn })).toThrow('may not call on behalf of')
  })

  it.each([sourceArn, sourceAccount, onBehalfOf, ...Object.keys(passed)])(
    'is the only one that may send %s',
    header => {
      const { callerOf } = finding(user, role)
      const message = `Only a service may send the header ${header}.`
      for (const credentials of [key, userSession, roleSession])
        for (const value of ['', bucket, [bucket]])
          expect(() => callerOf({ credentials, region }, { [header]: value })).toThrow(
            expect.objectContaining({ code: 'AccessDenied', message }),
          )
    },
  )

  it('has no sessions, and none from before it became one', () => {
    const { services, callerOf } = finding(user)
    callerOf({ credentials: userSession, region })
    services.push(service)
    const invalid = expect.objectContaining({ code: 'UnrecognizedClient' })
    expect(() => callerOf({ credentials: userSession, region })).toThrow(invalid)
  })

  it('is refused while services are turned off', () => {
    const principals = { ...finding(user).principals }
    const identities = { principals, services: { ofUser: () => service }, version: () => 0 }
    const callerOf = callerFinder(identities, {
      clock: () => now,
      services: false,
      sessionOf: async () => undefined,
    })
    expect(() => callerOf({ credentials: key, region }, {})).toThrow('Service principals are turned off')
  })
})
