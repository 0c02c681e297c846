import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import {
  accountOfPrincipal,
  keyArn,
  parseKeyIdentifier,
  partitionOf,
  principalIn,
  sessionArn,
} from '../../src/model/arn.ts'

const caller = { account: '111122223333', region: 'eu-west-1' }
const id = '1234abcd-12ab-34cd-56ef-1234567890ab'
const prefix = 'arn:aws:kms:eu-west-1:111122223333:'

function parse(text: string) {
  try {
    return parseKeyIdentifier(text, caller)
  } catch (error) {
    expect(error).toBeInstanceOf(Failure)
    const { code, message } = error as Failure
    return `${code}: ${message}`
  }
}

describe('a key identifier', () => {
  it.each([
    [id, { form: 'key', arn: `${prefix}key/${id}`, account: caller.account }],
    [`${prefix}key/${id}`, { form: 'key', arn: `${prefix}key/${id}`, account: caller.account }],
    ['alias/x', { form: 'alias', arn: `${prefix}alias/x`, account: caller.account }],
    [`${prefix}alias/a/b`, { form: 'alias', arn: `${prefix}alias/a/b`, account: caller.account }],
    [
      `arn:aws:kms:eu-west-1:444455556666:key/${id}`,
      { form: 'key', arn: `arn:aws:kms:eu-west-1:444455556666:key/${id}`, account: '444455556666' },
    ],
    [`mrk-${'0a'.repeat(16)}`, { form: 'key', arn: `${prefix}key/mrk-${'0a'.repeat(16)}`, account: caller.account }],
    ['nonsense', "NotFound: Invalid keyId 'nonsense'"],
    [id.replaceAll('-', ''), `NotFound: Invalid keyId '${id.replaceAll('-', '')}'`],
    ['mrk-junk', "NotFound: Invalid keyId 'mrk-junk'"],
    [`${prefix}key/nonsense`, 'NotFound: Invalid keyId nonsense'],
    [`arn:aws:kms:us-east-1:111122223333:key/${id}`, 'NotFound: Invalid arn us-east-1'],
    [`arn:aws:s3:eu-west-1:111122223333:key/${id}`, /^InvalidArn/],
    [`arn:aws-cn:kms:eu-west-1:111122223333:key/${id}`, /^InvalidArn/],
    [`arn:aws:kms:eu-west-1:1111:key/${id}`, /^InvalidArn/],
    [`${prefix}door/${id}`, /^InvalidArn/],
    ['arn:', /^InvalidArn/],
  ])('%s', (text, outcome) => {
    const parsed = parse(text)
    if (outcome instanceof RegExp) expect(parsed).toMatch(outcome)
    else expect(parsed).toEqual(outcome)
  })

  it('is a full ARN or a failure, for any input', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map(s => `arn:${s}`),
          fc.string().map(s => prefix + s),
        ),
        text => {
          const parsed = parse(text)
          if (typeof parsed !== 'string') expect(parsed.arn).toMatch(/^arn:aws:kms:eu-west-1:\d{12}:(key|alias)\//)
        },
      ),
    )
  })

  it('belongs to the partition of its region', () => {
    expect(['us-east-1', 'cn-north-1', 'us-gov-west-1'].map(partitionOf)).toEqual(['aws', 'aws-cn', 'aws-us-gov'])
  })

  it.each(['us-east-1', 'cn-north-1', 'eusc-de-east-1', 'us-iso-east-1', 'us-isob-east-1', 'eu-isoe-west-1'])(
    'in %s is an ARN of its partition and of no other',
    region => {
      const here = { account: caller.account, region }
      const arn = keyArn(here, id)
      expect(parseKeyIdentifier(arn, here)).toEqual({ form: 'key', arn, account: caller.account })
      for (const partition of [
        'aws',
        'aws-cn',
        'aws-eusc',
        'aws-iso',
        'aws-iso-b',
        'aws-iso-e',
        'aws-us-gov',
        'AWS',
        '',
      ]) {
        if (partition === partitionOf(region)) continue
        const foreign = arn.replace(/^arn:[^:]*/, `arn:${partition}`)
        expect(() => parseKeyIdentifier(foreign, here)).toThrow(`Invalid ARN '${foreign}'`)
      }
    },
  )
})

describe('a principal', () => {
  const user = 'arn:aws:iam::111122223333:user/division/alice'

  it.each([
    ['us-east-1', user],
    ['cn-north-1', 'arn:aws-cn:iam::111122223333:user/division/alice'],
    ['eusc-de-east-1', 'arn:aws-eusc:iam::111122223333:user/division/alice'],
    ['us-isof-south-1', 'arn:aws-iso-f:iam::111122223333:user/division/alice'],
  ])('is named in %s by the partition of that region', (region, arn) => {
    expect(principalIn(region, user)).toBe(arn)
    expect(principalIn('us-west-2', arn)).toBe(user)
  })

  it.each([
    [user, 'aws', '111122223333'],
    [user, 'aws-cn', undefined],
    ['arn:aws-cn:iam::111122223333:root', 'aws-cn', '111122223333'],
    ['arn:aws-cn:iam::111122223333:root', 'aws', undefined],
    ['arn:aws:sts::111122223333:assumed-role/admin/session', 'aws', '111122223333'],
    ['arn:aws:iam::111122223333:group/all', 'aws', undefined],
    ['arn:aws:iam::1111:root', 'aws', undefined],
    ['arn:aws:iam:eu-west-1:111122223333:root', 'aws', undefined],
    ['arn:aws:sts::111122223333:root', 'aws', undefined],
    ['arn:aws:kms:eu-west-1:111122223333:key/x', 'aws', undefined],
    ['arn:aws:sts::111122223333:assumed-role/path/admin/session', 'aws', undefined],
    ['arn:aws:sts::111122223333:assumed-role/admin', 'aws', undefined],
    ['arn:aws:sts::111122223333:federated-user/carol', 'aws', '111122223333'],
    ['*', 'aws', undefined],
  ])('%s, read in %s, belongs to the account %s', (arn, partition, account) => {
    expect(accountOfPrincipal(arn, partition)).toBe(account)
  })

  it('of a role session has the name of the role without its path', () => {
    const role = 'arn:aws-cn:iam::111122223333:role/service/night/backup'
    expect(sessionArn(role, 'a@b')).toBe('arn:aws-cn:sts::111122223333:assumed-role/backup/a@b')
  })
})
