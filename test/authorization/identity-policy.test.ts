import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkIdentityPolicy, checkPolicySize, policyQuotas } from '../../src/authorization/identity-policy.ts'
import { Failure } from '../../src/errors.ts'
import { awsManagedPolicy, awsManagedPolicyNames } from '../../src/model/identities/aws-managed-policies.ts'

const statement = { Effect: 'Allow', Action: 'kms:Decrypt', Resource: '*' }
const withStatement = (change: object) => ({ Version: '2012-10-17', Statement: [{ ...statement, ...change }] })
const without = (member: keyof typeof statement, more: object = {}) => {
  const { [member]: _, ...rest } = statement
  return { Version: '2012-10-17', Statement: [{ ...rest, ...more }] }
}
const check = (policy: unknown) => checkIdentityPolicy(typeof policy === 'string' ? policy : JSON.stringify(policy))

function refusal(call: () => void): Failure {
  try {
    call()
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown
    throw thrown
  }
  throw new Error('it was accepted')
}

describe('a new identity-based policy', () => {
  it.each([
    ['one statement that is no list', { Version: '2012-10-17', Statement: statement }],
    ['the older version', { Version: '2008-10-17', Statement: [statement] }],
    ['an Id', { ...withStatement({}), Id: 'decrypting' }],
    ['a Deny', withStatement({ Effect: 'Deny' })],
    ['NotAction', without('Action', { NotAction: 'kms:*' })],
    ['NotResource', without('Resource', { NotResource: 'arn:aws:kms:*:111122223333:key/*' })],
    ['actions of other services', withStatement({ Action: ['s3:GetObject', 'sts:AssumeRole', '*'] })],
    ['conditions', withStatement({ Condition: { StringLike: { 'kms:ViaService': ['s3.*', 'ebs.*'] } } })],
    ['an unknown condition key', withStatement({ Condition: { StringEquals: { 'future:Key': 'value' } } })],
    [
      'a policy variable',
      withStatement({ Condition: { StringEquals: { 'aws:PrincipalTag/team': `\${aws:username}` } } }),
    ],
    ['several statement IDs', { Statement: [{ ...statement, Sid: 'One' }, { ...statement, Sid: 'one2' }, statement] }],
    ['Latin letters', withStatement({ Condition: { StringEquals: { 'aws:username': 'Zoë' } } })],
  ])('may have %s', (_what, policy) => check(policy))

  it.each(awsManagedPolicyNames)('may be the AWS managed policy %s', name =>
    check(awsManagedPolicy(`arn:aws:iam::aws:policy/${name}`)!),
  )

  it.each([
    ['no text', ''],
    ['what is not JSON', '{'],
    ['null', null],
    ['a list', []],
    ['a number', 1],
    ['no statements', { Version: '2012-10-17' }],
    ['an unknown version', { Version: '2022-10-17', Statement: [statement] }],
    ['an unknown element', withStatement({ Actions: 'kms:*' })],
    ['a repeated element', '{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}'],
    ['Principal', withStatement({ Principal: '*' })],
    ['NotPrincipal', withStatement({ NotPrincipal: { AWS: '111122223333' } })],
    ['an unknown effect', withStatement({ Effect: 'allow' })],
    ['no effect', without('Effect')],
    ['no action', without('Action')],
    ['an empty list of actions', withStatement({ Action: [] })],
    ['an empty action', withStatement({ Action: '' })],
    ['both Action and NotAction', withStatement({ NotAction: 'kms:*' })],
    ['no resource', without('Resource')],
    ['an empty list of resources', withStatement({ Resource: [] })],
    ['a number for a resource', withStatement({ Resource: 1 })],
    ['both Resource and NotResource', withStatement({ NotResource: '*' })],
    ['an unknown condition operator', withStatement({ Condition: { StringIs: { 'aws:username': 'a' } } })],
    ['a date that is none', withStatement({ Condition: { DateLessThan: { 'aws:CurrentTime': 'tomorrow' } } })],
    ['a number that is none', withStatement({ Condition: { NumericEquals: { 'aws:MultiFactorAuthAge': 'few' } } })],
    ['an address that is none', withStatement({ Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.300' } } })],
    ['a statement ID with other characters', withStatement({ Sid: 'one-two' })],
    [
      'two statements of one ID',
      {
        Statement: [
          { ...statement, Sid: 'One' },
          { ...statement, Sid: 'One' },
        ],
      },
    ],
    ['letters outside of Latin-1', withStatement({ Condition: { StringEquals: { 'aws:username': 'Ж' } } })],
    ['a control character', `${JSON.stringify(withStatement({}))}\u0007`],
    ['nesting without end', '['.repeat(100_000)],
  ])('may not have or be %s', (_what, policy) => {
    expect(refusal(() => check(policy)).code).toBe('MalformedPolicyDocument')
  })

  it.each([
    ['Decrypt', 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.'],
    ['*Decrypt', 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.'],
    ['kms:Decrypt:all', 'Actions/Condition can contain only one colon.'],
    ['k*:Decrypt', 'Vendor k* is not valid'],
    [':Decrypt', 'Vendor  is not valid'],
    ['kms :Decrypt', 'Vendor kms  is not valid'],
  ])('may not name the action %j, in Action or NotAction', (action, message) => {
    expect(refusal(() => check(withStatement({ Effect: 'Deny', Action: ['kms:*', action] }))).message).toBe(message)
    expect(refusal(() => check(without('Action', { NotAction: action }))).message).toBe(message)
  })

  it.each(['key/1', 'alias/x', '1234abcd', 'a*', '**', ' arn:aws:kms:*:*:key/*'])(
    'may not name the resource %j, in Resource or NotResource',
    resource => {
      const message = `Resource ${resource} must be in ARN format or "*".`
      expect(refusal(() => check(withStatement({ Resource: ['*', resource] }))).message).toBe(message)
      expect(refusal(() => check(without('Resource', { NotResource: resource }))).message).toBe(message)
    },
  )

  it('is refused clearly, never with another error, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        const policy = JSON.stringify(value)
        expect(refusal(() => checkIdentityPolicy(policy)).code).toBe('MalformedPolicyDocument')
      }),
    )
  })
})

describe('the quota of policies', () => {
  it.each(Object.entries(policyQuotas))('of a %s is counted without white space, over all texts', (name, quota) => {
    const kind = name as keyof typeof policyQuotas
    const half = ' x\t\r\n'.repeat(quota / 2)
    checkPolicySize(kind, [half, half])
    const { code, message } = refusal(() => checkPolicySize(kind, [half, half, ' x']))
    expect({ code, message }).toEqual({ code: 'LimitExceeded', message: expect.stringContaining(`${quota + 1}`) })
  })
})
