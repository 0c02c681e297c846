import { describe, expect, it } from 'vitest'
import { checkKeyPolicy } from '../../src/authorization/key-policy.ts'
import { Failure } from '../../src/errors.ts'
import { defaultKeyPolicy } from '../../src/model/keys/key.ts'
import { principalsOf } from '../model/identities/principals.ts'
import { aUser } from './users.ts'

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

  it('is refused when it is too long', () => {
    const text = policy({ Sid: 'x'.repeat(32768) })
    expect(() => admit(text)).toThrow(expect.objectContaining({ code: 'LimitExceeded' }))
  })
})
