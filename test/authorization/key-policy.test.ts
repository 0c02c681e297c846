// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import { describe, expect, it } from 'vitest'
import { checkKeyPolicy } from '../../src/authorization/key-policy.ts'
import { Failure } from '../../src/errors.ts'
import type { Principal } from '../../src/model/identities/principal.ts'
import { defaultKeyPolicy } from '../../src/model/keys/key.ts'
import { principalsOf } from '../model/identities/principals.ts'
import { aPrincipal, aRole } from '../storage/records.ts'
import { guidePolicies } from './guide-policies.ts'
import { aSession, aUser } from './users.ts'

const account = '111122223333'
const alice = `arn:aws:iam::${account}:user/alice`
const key = `arn:aws:kms:eu-west-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`
const all = JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: '*', Resource: '*' } })
const standard = defaultKeyPolicy(account, 'aws')

describe('a key policy', () => {
  const caller = aUser(alice, [all])
  const admit = (text: string, bypassLockoutSafetyCheck = false, keyArn = key) =>
    checkKeyPolicy({ text, keyArn, account, caller, bypassLockoutSafetyCheck }, principalsOf())
  const statement = { Effect: 'Allow', Principal: { AWS: alice }, Action: 'kms:*', Resource: '*' }
  const policy = (change: object) => JSON.stringify({ Version: '2012-10-17', Statement: [{ ...statement, ...change }] })

  it('is accepted if its caller can change it later', () => {
    expect(() => admit(standard)).not.toThrow()
    expect(() => admit(policy({}))).not.toThrow()
  })

  it.each([
    ['is no JSON', '{'],
    ['is no object', '[]'],
    ['has no statement', '{"Version":"2012-10-17"}'],
    ['has an empty list of statements', '{"Statement":[]}'],
    ['has an unknown version', JSON.stringify({ Version: '2013-01-01', Statement: [statement] })],
    ['has an unknown element', JSON.stringify({ Statement: [statement], Comment: 'x' })],
    ['has a statement without Principal', policy({ Principal: undefined })],
    ['has an unknown Effect', policy({ Effect: 'Maybe' })],
    ['has an Action that is no string', policy({ Action: [1] })],
    ['names a principal that is none', policy({ Principal: { AWS: 'alice' } })],
    ['names no principal', policy({ Principal: {} })],
    ['names an unknown kind of principal', policy({ Principal: { Machine: 'x' } })],
    ['has characters beyond U+00FF', policy({ Sid: 'Ā' })],
  ])('is refused when it %s', (_title, text) => {
    expect(() => admit(text, true)).toThrow(expect.objectContaining({ code: 'MalformedPolicyDocument' }))
  })

  const noPrincipal = 'Policy contains a statement with no principal.'
  const invalid = 'Policy contains a statement with one or more invalid principals.'
  const noAction = 'Missing required field Action'
  const noResource = 'Missing required field Resource'
  const invalidJson = 'This policy contains invalid Json'
  const noStatement = 'Could not parse the policy: Statement is empty!'

  it.each([
    [noPrincipal, policy({ Principal: undefined })],
    [noPrincipal, policy({ Principal: null })],
    [noPrincipal, policy({ Principal: {} })],
    [noPrincipal, policy({ Principal: { AWS: [] } })],
    [noPrincipal, policy({ Principal: { AWS: [], Service: [] } })],
    [invalid, policy({ Principal: '' })],
    [invalid, policy({ Principal: alice })],
    [invalid, policy({ Principal: ['*'] })],
    [invalid, policy({ Principal: { AWS: '' } })],
    [invalid, policy({ Principal: { AWS: ['*', ''] } })],
    [invalid, policy({ Principal: { AWS: Number(account) } })],
    [invalid, policy({ Principal: { AWS: null } })],
    [invalid, policy({ Principal: { AWS: account.slice(1) } })],
    [invalid, policy({ Principal: { AWS: 'arn:aws:iam::111122223333:group/all' } })],
    [invalid, policy({ Principal: { AWS: '*', Machine: 'x' } })],
    [invalid, policy({ Principal: { Service: '' } })],
    [invalid, policy({ Principal: { Service: 'ec2' } })],
    [invalid, policy({ Principal: { Service: 'ec2.example.com' } })],
    [invalid, policy({ Principal: { Service: '.amazonaws.com' } })],
    [invalid, policy({ Principal: { Service: 'evilamazonaws.com' } })],
    [noAction, policy({ Action: undefined })],
    [noAction, policy({ Action: [] })],
    [noAction, policy({ Action: '' })],
    [noAction, policy({ Action: ['kms:*', ''] })],
    [noResource, policy({ Resource: undefined })],
    [noResource, policy({ Resource: [] })],
    [noResource, policy({ Resource: '' })],
    [noResource, policy({ Resource: ['*', ''] })],
    [noAction, policy({ Effect: 'Deny', Action: [], Resource: [] })],
    [noAction, JSON.stringify({ Statement: [statement, { ...statement, Action: [] }] })],
    [noStatement, '{}'],
    ['Missing required field Effect', policy({ Effect: undefined })],
    ['Invalid effect: allow', policy({ Effect: 'allow' })],
    ['Invalid effect: ', policy({ Effect: '' })],
    [`Invalid effect: ${'x'.repeat(100)}`, policy({ Effect: 'x'.repeat(10_000) })],
    ['The Effect of a statement is a string', policy({ Effect: null })],
    ['The Effect of a statement is a string', policy({ Effect: { toString: 1, valueOf: 1 } })],
    [invalidJson, policy({ Effect: 0 }).replace('"Effect":0', `"Effect":${'['.repeat(15_000)}${']'.repeat(15_000)}`)],
    ['The policy must contain a valid version string', JSON.stringify({ Version: '2012-10-18', Statement: statement })],
    ['The policy must contain a valid version string', JSON.stringify({ Version: 20121017, Statement: statement })],
    ['The policy must contain a valid version string', JSON.stringify({ Version: '', Statement: statement })],
    ['The element Action holds strings only', policy({ Action: { a: 'kms:*' } })],
    ['The element Resource holds strings only', policy({ Resource: [null] })],
    ['A statement is a JSON object', JSON.stringify({ Statement: [statement, null] })],
    ['A statement is a JSON object', JSON.stringify({ Statement: 'Allow' })],
    ['A policy is a JSON object', JSON.stringify(policy({}))],
    [noStatement, '{"Statement":[]}'],
    [invalidJson, ''],
    [invalidJson, '\ufeff{}'.slice(1).concat('}')],
    [invalidJson, policy({}).replace('{', "{'Id':1,")],
    [invalidJson, policy({ Sid: '' }).replace('"Sid":""', '"Sid":"\t"')],
    [invalidJson, policy({}).replace('"Effect":"Allow"', '"Effect":"Deny","Effect":"Allow"')],
    [invalidJson, policy({}).replace('"Effect":"Allow"', '"Effect":"Deny","\\u0045ffect":"Allow"')],
    [invalidJson, policy({}).replace('"Statement"', '"Statement":[],"Statement"')],
    [invalidJson, policy({}).replace('"AWS"', '"AWS":"*","AWS"')],
  ])('is refused with "%s": %.99s', (message, text) => {
    expect(() => admit(text, true)).toThrow(new Failure('MalformedPolicyDocument', message))
  })

  it.each([
    { Sid: 'a : b "c" \\" {:}' },
    { Principal: { Service: 'logs.eu-west-1.amazonaws.com', AWS: [account, alice] } },
    { Principal: '*', Action: ['kms:Get*'], Resource: [key, '*'] },
  ])('is accepted with %j', change => {
    expect(() => admit(policy(change), true)).not.toThrow()
  })

  it.each([
    ['eu-west-1', 'aws', 'amazonaws.com', ['amazonaws.com.cn', 'amazonaws.eu', 'c2s.ic.gov']],
    ['cn-north-1', 'aws-cn', 'amazonaws.com.cn', ['amazonaws.eu', 'c2s.ic.gov']],
    ['eusc-de-east-1', 'aws-eusc', 'amazonaws.eu', ['amazonaws.com.cn', 'c2s.ic.gov']],
    ['us-iso-east-1', 'aws-iso', 'c2s.ic.gov', ['amazonaws.com.cn', 'sc2s.sgov.gov']],
    ['us-gov-west-1', 'aws-us-gov', 'amazonaws.com', ['amazonaws.com.cn']],
  ])('of a key in %s names principals of %s only', (region, partition, domain, foreignDomains) => {
    const keyArn = `arn:${partition}:kms:${region}:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`
    const put = (Principal: object) => () => admit(policy({ Principal }), true, keyArn)
    for (const named of ['aws', 'aws-cn', 'aws-eusc', 'aws-iso', 'aws-us-gov']) {
      for (const resource of ['root', 'user/alice', 'role/path/admin']) {
        const attempt = expect(put({ AWS: [account, `arn:${named}:iam::${account}:${resource}`] }))
        if (named === partition) attempt.not.toThrow()
        else attempt.toThrow(invalid)
      }
    }
    for (const suffix of [domain, 'amazonaws.com']) expect(put({ Service: `ec2.${suffix}` })).not.toThrow()
    for (const suffix of foreignDomains) expect(put({ Service: `ec2.${suffix}` })).toThrow(invalid)
  })

  it('is refused when it would lock its caller out', () => {
    const text = policy({ Action: 'kms:Encrypt' })
    expect(() => admit(text)).toThrow('The new key policy will not allow you to update the key policy in the future.')
    expect(() => admit(text, true)).not.toThrow()
  })

  it.each([
    ['policy', policy({ Sid: 'x'.repeat(32768) })],
    ['JSON that is no policy', `[${' '.repeat(32768)}]`],
    ['text that is no JSON', 'x'.repeat(32769)],
    ['text of few characters, but many bytes', `"${'ÿ'.repeat(16384)}"`],
  ])('is refused when it is too long, before anything else: a %s', (_what, text) => {
    const message = 'The key policy exceeds the limit of 32768 bytes.'
    expect(() => admit(text)).toThrow(new Failure('LimitExceeded', message))
  })

  it('may have 32 KB', () => {
    const short = policy({ Sid: '' })
    expect(() => admit(policy({ Sid: 'x'.repeat(32768 - short.length) }))).not.toThrow()
  })
})

describe('a condition of a key policy', () => {
  const admit = (Condition: object, effect = 'Allow') => {
    const statements = [
      { Effect: 'Allow', Principal: { AWS: account }, Action: 'kms:*', Resource: '*' },
      { Effect: effect, Principal: { AWS: alice }, Action: 'kms:Decrypt', Resource: '*', Condition },
    ]
    const text = JSON.stringify({ Version: '2012-10-17', Statement: statements })
    const proposed = { text, keyArn: key, account, caller: aUser(alice, [all]), bypassLockoutSafetyCheck: false }
    return () => checkKeyPolicy(proposed, principalsOf())
  }
  const overly = (subject: string) =>
    `OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition key matches requests without the specified ${subject} or with an unspecified ${subject}. To fix, remove ForAllValues.`
  const notPermitted =
    'These condition keys are not permitted in a key policy: aws:ResourceTag, kms:ResourceTag, kms:ResourceAliases'

  it.each([
    [overly('encryption context'), { 'ForAllValues:StringEquals': { 'kms:EncryptionContext:a': 'b' } }],
    [overly('encryption context'), { 'ForAllValues:StringNotLikeIfExists': { 'KMS:encryptioncontext:a': ['b', 'c'] } }],
    [
      overly('encryption context'),
      {
        'ForAllValues:ArnLike': { 'kms:EncryptionContext:a': 'arn:aws:x:::y' },
        Null: { 'kms:EncryptionContext:a': false },
      },
    ],
    [overly('tag'), { 'ForAllValues:StringEquals': { 'aws:RequestTag/team': 'x' } }],
    [overly('tag'), { 'ForAllValues:StringLike': { 'aws:TagKeys': 'a', 'AWS:REQUESTTAG/team': 'x' } }],
    [notPermitted, { StringEquals: { 'aws:ResourceTag/team': 'x' } }],
    [notPermitted, { Null: { 'AWS:resourcetag/team': 'true' } }],
    [notPermitted, { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': 'alias/*' } }],
    ['Invalid Condition type : StringEqual', { StringEqual: { 'aws:username': 'x' } }],
    ['Invalid Condition type : stringequals', { stringequals: { 'aws:username': 'x' } }],
    ['Invalid Condition type : ForEachValue:StringEquals', { 'ForEachValue:StringEquals': { 'aws:TagKeys': 'x' } }],
    ['Invalid Condition type : StringEqualsIfExist', { StringEqualsIfExist: { 'aws:username': 'x' } }],
    ['Invalid Condition type : NullIfExists', { NullIfExists: { 'aws:username': 'true' } }],
    [`Invalid Condition type : ${'x'.repeat(100)}`, { ['x'.repeat(1000)]: { 'aws:username': 'true' } }],
    ['Invalid value for Condition type IpAddress : 192.0.2.0/33', { IpAddress: { 'aws:SourceIp': '192.0.2.0/33' } }],
    [
      'Invalid value for Condition type NotIpAddress : 10.0',
      { NotIpAddress: { 'aws:SourceIp': ['10.0.0.1', '10.0'] } },
    ],
    [
      'Invalid value for Condition type NotIpAddress : ${aws:PrincipalTag/net}',
      { NotIpAddress: { 'aws:SourceIp': '${aws:PrincipalTag/net}' } },
    ],
    ['Invalid value for Condition type DateLessThan : soon', { DateLessThan: { 'aws:CurrentTime': 'soon' } }],
    [
      'Invalid value for Condition type NumericNotEquals : ten',
      { NumericNotEquals: { 'kms:RotationPeriodInDays': 'ten' } },
    ],
    ['The Condition of a statement is a JSON object', []],
    ['The condition operator Bool is a JSON object', { Bool: 'aws:SecureTransport' }],
    [
      'The values of the condition key aws:username are strings, numbers or booleans',
      { StringEquals: { 'aws:username': [null] } },
    ],
    [
      'The values of the condition key aws:username are strings, numbers or booleans',
      { StringEquals: { 'aws:username': { a: 'b' } } },
    ],
  ])('is refused with "%.60s...": %j', (message, condition) => {
    for (const effect of ['Allow', 'Deny']) {
      expect(admit(condition, effect)).toThrow(new Failure('MalformedPolicyDocument', message))
    }
  })

  it.each([
    { 'ForAnyValue:StringEquals': { 'kms:EncryptionContext:a': 'b' } },
    { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': 'a' } },
    { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['a'], 'aws:PrincipalTag/team': 'x' } },
    { Bool: { 'aws:SecureTransport': 'yes' } },
    { ArnLike: { 'aws:PrincipalArn': '*' } },
    { NumericLessThan: { 'kms:RotationPeriodInDays': 90.5 } },
    { StringEquals: { 'no prefix': [], 'aws:NotYetKnown': true, '': '' } },
  ])('is accepted: %j', condition => {
    expect(admit(condition)).not.toThrow()
  })
})

describe('the key policy of a guide', () => {
  const administrator = aUser(`arn:aws:iam::${account}:user/administrator`, [all])

  /** The users and roles of the account that a policy names, as far as somebody creates them. */
  function principalsIn(text: string): Principal[] {
    const named = text.match(/arn:aws:iam::111122223333:(?:user|role)\/[^"*]+(?=")/g) ?? []
    const ofSessions = [...text.matchAll(/:assumed-role\/(\w+)\//g)].map(
      ([, name]) => `arn:aws:iam::${account}:role/${name}`,
    )
    const created = [administrator.arn, ...named, ...ofSessions].filter(arn => !arn.includes(':role/aws-service-role/'))
    return [...new Set(created)].map(arn => {
      const name = arn.slice(arn.lastIndexOf('/') + 1)
      return arn.includes(':user/') ? aPrincipal(name, { arn }) : aRole(name, { arn })
    })
  }

  it.each(guidePolicies.map(({ name, policy }) => [name, policy] as const))('is accepted: %s', (_name, policy) => {
    for (const text of [JSON.stringify(policy), JSON.stringify(policy, null, 4).replaceAll('\n', '\r\n')]) {
      const proposed = { text, keyArn: key, account, caller: administrator, bypassLockoutSafetyCheck: false }
      expect(() => checkKeyPolicy(proposed, principalsOf())).not.toThrow()
      expect(() => checkKeyPolicy(proposed, principalsOf(...principalsIn(text)))).not.toThrow()
    }
  })
})

describe('the lockout check', () => {
  const role = `arn:aws:iam::${account}:role/division/admin`
  const session = `arn:aws:sts::${account}:assumed-role/admin/monday`
  const allow = (Principal: unknown, change: object = {}) => ({
    Effect: 'Allow',
    Principal,
    Action: 'kms:PutKeyPolicy',
    Resource: '*',
    ...change,
  })
  const toAccount = allow({ AWS: `arn:aws:iam::${account}:root` })
  const identity = (Effect: string, Action: string) =>
    JSON.stringify({ Version: '2012-10-17', Statement: { Effect, Action, Resource: '*' } })
  const user = (...policies: string[]) => aUser(alice, policies)
  const monday = (...policies: string[]) => aSession(session, role, policies)
  const context = (name: string) => ({ 'aws:sourceip': ['192.0.2.1'], 'kms:keyspec': ['RSA_2048'] })[name]
  const from = (address: string) => ({ IpAddress: { 'aws:SourceIp': address } })

  it.each([
    ['a user that it names', user(), [allow({ AWS: alice })], true],
    ['everybody', user(), [allow('*')], true],
    ['another user', user(all), [allow({ AWS: alice.replace('alice', 'bob') })], false],
    ['the account, and its identity-based policy allows it', user(identity('Allow', 'kms:Put*')), [toAccount], true],
    ['the account, and its identity-based policy is silent', user(identity('Allow', 'kms:Get*')), [toAccount], false],
    ['a user whose identity-based policy denies it', user(identity('Deny', 'kms:*')), [allow({ AWS: alice })], false],
    ['a role, in one of its sessions', monday(), [allow({ AWS: role })], true],
    ['the session', monday(), [allow({ AWS: session })], true],
    ['another session of the role', monday(), [allow({ AWS: session.replace('monday', 'tuesday') })], false],
    ['a role without its path', monday(), [allow({ AWS: role.replace('division/', '') })], false],
    ['the account, in a session whose role may', monday(all), [toAccount], true],
    [
      'a role within a boundary that does not allow it',
      { ...monday(), permissionsBoundary: identity('Allow', 'kms:Get*') },
      [allow({ AWS: role })],
      false,
    ],
    [
      'a user within a boundary that does not allow it',
      { ...user(), permissionsBoundary: identity('Allow', 'kms:Get*') },
      [allow({ AWS: alice })],
      true,
    ],
    ['a user, but denies it to everybody', user(all), [allow({ AWS: alice }), allow('*', { Effect: 'Deny' })], false],
    ['nobody: it denies only', user(all), [allow({ AWS: account }, { Effect: 'Deny', Action: 'kms:Decrypt' })], false],
    ['another action', user(), [allow({ AWS: alice }, { Action: 'kms:GetKeyPolicy' })], false],
    ['all other actions', user(), [allow({ AWS: alice }, { Action: undefined, NotAction: 'kms:Decrypt' })], true],
    ['another resource', user(), [allow({ AWS: alice }, { Resource: `${key}0` })], false],
    [
      'the network that the request came from',
      user(),
      [allow({ AWS: alice }, { Condition: from('192.0.2.0/24') })],
      true,
    ],
    ['another network', user(), [allow({ AWS: alice }, { Condition: from('203.0.113.0/24') })], false],
    [
      'keys of its kind',
      user(),
      [allow({ AWS: alice }, { Condition: { StringEquals: { 'kms:KeySpec': 'RSA_2048' } } })],
      true,
    ],
    [
      'requests through a service',
      user(),
      [allow({ AWS: alice }, { Condition: { StringEquals: { 'kms:ViaService': 's3.eu-west-1.amazonaws.com' } } })],
      false,
    ],
    ['a service', user(all), [allow({ Service: 'sns.amazonaws.com' })], false],
    [
      'a user of another account, who does not own the key',
      aUser(alice.replace(account, '444455556666'), [all]),
      [allow({ AWS: account })],
      false,
    ],
  ] as const)(
    'asks whether the policy lets its caller change it later: it allows %s',
    (_title, caller, Statement, accepted) => {
      const text = JSON.stringify({ Version: '2012-10-17', Statement })
      const put = (bypassLockoutSafetyCheck: boolean) => () =>
        checkKeyPolicy({ text, keyArn: key, account, caller, context, bypassLockoutSafetyCheck }, principalsOf())
      expect(put(true)).not.toThrow()
      if (accepted) expect(put(false)).not.toThrow()
      else expect(put(false)).toThrow('The new key policy will not allow you to update the key policy in the future.')
    },
  )
})
