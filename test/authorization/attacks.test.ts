// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import { describe, expect, it } from 'vitest'
import { decide } from '../../src/authorization/decide.ts'
import type { Policies } from '../../src/authorization/request.ts'

/** What somebody might try who can write a part of a policy, of a request or of a name. */

const account = '111122223333'
const alice = `arn:aws:iam::${account}:user/alice`
const key = `arn:aws:kms:eu-west-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`

const policy = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement })
const everyone = { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }

interface Attempt extends Partial<Policies> {
  readonly arn?: string
  readonly roleArn?: string
  readonly principalId?: string
  readonly action?: string
  readonly target?: string
  readonly context?: Record<string, readonly string[]>
  /** Statements of the key policy. */
  readonly statements?: readonly object[]
}

function isAllowed({
  arn = alice,
  roleArn,
  principalId = '',
  action = 'kms:Decrypt',
  target = key,
  ...attempt
}: Attempt) {
  const owner = arn.split(':')[4]!
  const { context = {}, statements = [everyone], identity = [], ...policies } = attempt
  const principal = { arn, account: owner, principalId, ...(roleArn !== undefined && { roleArn }) }
  const request = { principal, action, resource: target, account, context: (name: string) => context[name] }
  return decide(request, { resource: { text: policy(...statements) }, identity, ...policies }).allowed
}

const allow = (change: object) => ({ ...everyone, ...change })
const deny = (change: object) => ({ ...everyone, Effect: 'Deny', ...change })

describe('an attack', () => {
  it('by the case of an action escapes no Deny, and an Allow has no need of it', () => {
    for (const Action of ['KMS:DECRYPT', 'kms:decrypt', 'Kms:dEC*', 'kms:D?CRYPT']) {
      expect(isAllowed({ statements: [everyone, deny({ Action })] })).toBe(false)
      expect(isAllowed({ statements: [allow({ Action })] })).toBe(true)
      expect(isAllowed({ action: 'kms:DeCrYpT', statements: [everyone, deny({ Action })] })).toBe(false)
    }
  })

  it('by the case of an ARN gets nothing', () => {
    for (const name of [alice.toUpperCase(), alice.replace('alice', 'Alice'), alice.replace('arn', 'ARN')]) {
      expect(isAllowed({ statements: [allow({ Principal: { AWS: name } })] })).toBe(false)
    }
    for (const Resource of [key.toUpperCase(), key.replace('arn:aws', 'arn:AWS'), key.replace('abcd', 'ABCD')]) {
      expect(isAllowed({ statements: [allow({ Resource })] })).toBe(false)
    }
  })

  it.each([
    ['the Kelvin sign', '\u212ams:Decrypt'],
    ['a Cyrillic letter', 'kms:D\u0435crypt'],
    ['a letter of full width', '\uff4bms:Decrypt'],
    ['a dotted capital I', 'kms:Decr\u0130pt'],
    ['a long s', 'km\u017f:Decrypt'],
    ['a zero-width space', 'kms:\u200bDecrypt'],
    ['a soft hyphen', 'kms:De\u00adcrypt'],
    ['a combining mark', 'kms:De\u0301crypt'],
    ['a null character', 'kms:Decrypt\u0000'],
    ['a line break', 'kms:Decrypt\n'],
    ['a space', ' kms:Decrypt'],
  ])('by %s, which looks like a part of an action, does not match it', (_, Action) => {
    expect(isAllowed({ statements: [allow({ Action })] })).toBe(false)
    expect(isAllowed({ action: Action, statements: [allow({ Action: 'kms:Decrypt' })] })).toBe(false)
    expect(isAllowed({ statements: [everyone, deny({ Action })] })).toBe(true)
  })

  it('by another normal form of a name matches nothing', () => {
    const composed = alice.replace('alice', 'andr\u00e9')
    const decomposed = composed.normalize('NFD')
    expect(isAllowed({ arn: decomposed, statements: [allow({ Principal: { AWS: composed } })] })).toBe(false)
    const Condition = { StringLike: { k: 'caf\u00e9' } }
    expect(isAllowed({ statements: [allow({ Condition })], context: { k: ['cafe\u0301'] } })).toBe(false)
    expect(isAllowed({ statements: [allow({ Condition })], context: { k: ['caf\u00e9'] } })).toBe(true)
  })

  it.each([
    'arn:aws:iam::*:root',
    'arn:aws:iam::*:user/alice',
    'arn:aws:iam::1111222233??:root',
    'arn:aws:iam::111122223333:*',
    'arn:aws:iam::111122223333:user/*',
    'arn:aws:iam::111122223333:user/alice*',
    'arn:*:iam::111122223333:root',
    '1111222233*',
    '************',
    '**',
    'AIDA*',
    '',
  ])('by a wildcard in a principal, %j, names nobody', AWS => {
    expect(
      isAllowed({
        identity: [policy({ Effect: 'Allow', Action: '*', Resource: '*' })],
        statements: [allow({ Principal: { AWS } })],
      }),
    ).toBe(false)
  })

  it.each([
    ['another partition', 'arn:aws-cn:iam::111122223333:root'],
    ['another service', 'arn:aws:sts::111122223333:root'],
    ['a region', 'arn:aws:iam:eu-west-1:111122223333:root'],
    ['a longer number', '1111222233334'],
    ['a shorter number', '11112222333'],
    ['digits of another script', '١١١١٢٢٢٢٣٣٣٣'],
  ])('by an account with %s names nobody', (_, AWS) => {
    expect(
      isAllowed({
        identity: [policy({ Effect: 'Allow', Action: '*', Resource: '*' })],
        statements: [allow({ Principal: { AWS } })],
      }),
    ).toBe(false)
  })

  it('by a user whose name looks like another principal gets nothing of it', () => {
    const role = `arn:aws:iam::${account}:role/admin`
    for (const arn of [
      `arn:aws:iam::${account}:user/role/admin`,
      `arn:aws:iam::${account}:user/root`,
      `arn:aws:sts::${account}:federated-user/admin`,
    ]) {
      expect(
        isAllowed({ arn, statements: [allow({ Principal: { AWS: [role, `arn:aws:iam::${account}:root`] } })] }),
      ).toBe(false)
    }
  })

  it('by a role of the same name in another path, or a session of another role, gets nothing', () => {
    const admin = `arn:aws:iam::${account}:role/admin`
    const arn = `arn:aws:sts::${account}:assumed-role/admin/s`
    const statements = [allow({ Principal: { AWS: admin } })]
    expect(isAllowed({ arn, roleArn: admin, statements })).toBe(true)
    expect(isAllowed({ arn, roleArn: `arn:aws:iam::${account}:role/team/admin`, statements })).toBe(false)
    expect(
      isAllowed({ arn: arn.replace('admin/s', 'adm/admin'), roleArn: `arn:aws:iam::${account}:role/adm`, statements }),
    ).toBe(false)
  })

  it('by a principal made again under the same name gets nothing of the old one', () => {
    const role = `arn:aws:iam::${account}:role/app`
    const session = { arn: `arn:aws:sts::${account}:assumed-role/app/s`, roleArn: role }
    const text = policy(allow({ Principal: { AWS: role } }))
    const resource = { text, principalIds: { [role]: 'AROAOLD00000000000001' } }
    expect(isAllowed({ ...session, principalId: 'AROAOLD00000000000001:s', resource })).toBe(true)
    expect(isAllowed({ ...session, principalId: 'AROANEW00000000000001:s', resource })).toBe(false)
    expect(isAllowed({ ...session, principalId: 'AROAOLD000000000000012:s', resource })).toBe(false)
    expect(isAllowed({ ...session, principalId: '', resource })).toBe(false)
    // Nor does it escape a Deny of everybody but the old one.
    const spared = policy(everyone, {
      ...deny({}),
      Principal: undefined,
      NotPrincipal: { AWS: [account, role, session.arn] },
    })
    const sparing = { text: spared, principalIds: resource.principalIds }
    expect(isAllowed({ ...session, principalId: 'AROAOLD00000000000001:s', resource: sparing })).toBe(true)
    expect(isAllowed({ ...session, principalId: 'AROANEW00000000000001:s', resource: sparing })).toBe(false)
  })

  it('by a unique id in a policy names only who has it', () => {
    const statements = [allow({ Principal: { AWS: 'AIDAEXAMPLE0000000001' } })]
    expect(isAllowed({ principalId: 'AIDAEXAMPLE0000000001', statements })).toBe(true)
    for (const principalId of ['AIDAEXAMPLE0000000002', 'AIDAEXAMPLE00000000012', 'aidaexample0000000001', '']) {
      expect(isAllowed({ principalId, statements })).toBe(false)
    }
  })

  it('by leaving out what a condition asks for passes no positive condition', () => {
    const operators = [
      'StringEquals',
      'StringLike',
      'NumericLessThan',
      'DateLessThan',
      'Bool',
      'IpAddress',
      'ArnLike',
      'ForAnyValue:StringNotEquals',
    ]
    const values: Record<string, string> = {
      Bool: 'false',
      IpAddress: '0.0.0.0/0',
      ArnLike: '*:*:*:*:*:*',
      StringLike: '*',
    }
    for (const operator of operators) {
      const Condition = { [operator]: { k: values[operator] ?? '9999999999' } }
      expect(isAllowed({ statements: [allow({ Condition })] }), operator).toBe(false)
      expect(isAllowed({ statements: [allow({ Condition })], context: { k: [] } }), operator).toBe(false)
    }
  })

  it('by an encryption context that is empty passes ForAllValues, but for a Null beside it', () => {
    const Condition = { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['app'] } }
    expect(isAllowed({ statements: [allow({ Condition })] })).toBe(true)
    const guarded = { ...Condition, Null: { 'kms:EncryptionContextKeys': false } }
    expect(isAllowed({ statements: [allow({ Condition: guarded })] })).toBe(false)
    const context = { 'kms:encryptioncontextkeys': ['app'] }
    expect(isAllowed({ statements: [allow({ Condition: guarded })], context })).toBe(true)
    expect(
      isAllowed({
        statements: [allow({ Condition: guarded })],
        context: { ...context, 'kms:encryptioncontextkeys': ['app', 'x'] },
      }),
    ).toBe(false)
  })

  it('by wildcards in a request matches nothing that a policy did not mean', () => {
    const Condition = { StringLike: { k: 'orders-*' } }
    for (const value of ['*', 'o*', 'orders?', '?rders-1', '${k}']) {
      expect(isAllowed({ statements: [allow({ Condition })], context: { k: [value] } })).toBe(false)
    }
    expect(isAllowed({ target: 'arn:aws:kms:*:*:key/*', statements: [allow({ Resource: key })] })).toBe(false)
    expect(isAllowed({ action: 'kms:*', statements: [allow({ Action: 'kms:Decrypt' })] })).toBe(false)
  })

  it('by names of objects in JavaScript finds no values, principals or operators', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      const statements = [allow({ Principal: { AWS: name } })]
      expect(isAllowed({ statements, resource: { text: policy(...statements), principalIds: {} } })).toBe(false)
      const condition = `{"${name}":{"${name}":"${name}"}}`
      const text = policy(allow({ Condition: 0 })).replace('"Condition":0', `"Condition":${condition}`)
      expect(isAllowed({ resource: { text } })).toBe(false)
    }
  })
})
