import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide as decideBy, type Row, rows, type Verdicts } from '../../src/authorization/decide.ts'
import { globMatches } from '../../src/authorization/glob.ts'
import { checkKeyPolicy } from '../../src/authorization/key-policy.ts'
import { parsePolicyDocument } from '../../src/authorization/policy-document.ts'
import { Failure } from '../../src/errors.ts'
import { defaultKeyPolicy } from '../../src/model/keys/key.ts'
import { principalsOf } from '../model/identities/principals.ts'
import { aUser } from './users.ts'

const account = '111122223333'
const other = '444455556666'
const alice = `arn:aws:iam::${account}:user/alice`
const bob = `arn:aws:iam::${other}:user/bob`
const key = `arn:aws:kms:eu-west-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`

const all = identity('Allow', '*')
const standard = defaultKeyPolicy(account, 'aws')

function identity(effect: string, action: string | string[], resource = '*'): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: { Effect: effect, Action: action, Resource: resource } })
}

function keyPolicy(
  ...statements: { effect?: string; principal: unknown; action?: unknown; resource?: unknown }[]
): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map(({ effect = 'Allow', principal, action = 'kms:*', resource = '*' }) => {
      return { Effect: effect, Principal: principal, Action: action, Resource: resource }
    }),
  })
}

function decide(arn: string, policies: string[], resourcePolicy?: string, action = 'kms:Encrypt', resource = key) {
  const request = { principal: aUser(arn, policies), action, resource, account, context: () => undefined }
  const decision = decideBy(request, {
    identity: policies,
    resource: resourcePolicy === undefined ? undefined : { text: resourcePolicy },
  })
  return decision.allowed ? 'allowed' : decision.because
}

const notShared =
  'because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access'
const noIdentity = 'because no identity-based policy allows the kms:Encrypt action'
const noKeyPolicy = 'because no resource-based policy allows the kms:Encrypt action'
const denyKey = 'with an explicit deny in a resource-based policy'
const denyIdentity = 'with an explicit deny in an identity-based policy'

describe('decide', () => {
  // biome-ignore format: a table
  it.each([
    // what the key policy says                                     who    identity policies                        outcome
    ['default policy; the account lets its policies decide',        alice, [all], standard,                          'allowed'],
    ['default policy gives no user anything by itself',             alice, [], standard,                             noIdentity],
    ['default policy, identity policy for another action',          alice, [identity('Allow', 'kms:Decrypt')], standard, noIdentity],
    ['default policy, identity policy for another key',             alice, [identity('Allow', '*', 'arn:aws:kms:*:*:key/x')], standard, noIdentity],
    ['default policy, another account with every right of its own', bob,   [all], standard,                          notShared],
    ['the caller is named',                                         alice, [], keyPolicy({ principal: { AWS: alice } }), 'allowed'],
    ['everybody is named',                                          alice, [], keyPolicy({ principal: '*' }),        'allowed'],
    ['everybody is named, in the long form',                        alice, [], keyPolicy({ principal: { AWS: '*' } }), 'allowed'],
    ['the account is named by its number',                          alice, [all], keyPolicy({ principal: { AWS: account } }), 'allowed'],
    ['nobody is named: identity policies alone do not help',        alice, [all], keyPolicy({ principal: { AWS: bob } }), noKeyPolicy],
    ['another action is allowed',                                   alice, [all], keyPolicy({ principal: { AWS: alice }, action: 'kms:Decrypt' }), noKeyPolicy],
    ['a statement without Action has no effect',                    alice, [all], keyPolicy({ principal: { AWS: alice }, action: [] }), noKeyPolicy],
    ['key policy denies what it also allows',                       alice, [all], keyPolicy({ principal: '*' }, { effect: 'Deny', principal: { AWS: alice } }), denyKey],
    ['key policy denies the account',                               alice, [all], keyPolicy({ principal: '*' }, { effect: 'Deny', principal: { AWS: account } }), denyKey],
    ['identity policy denies what everything else allows',          alice, [all, identity('Deny', 'kms:Enc*')], keyPolicy({ principal: { AWS: alice } }), denyIdentity],
    ['another account is named, and its policies allow',            bob,   [all], keyPolicy({ principal: { AWS: other } }), 'allowed'],
    ['another account is named, and its policies are silent',       bob,   [], keyPolicy({ principal: { AWS: other } }), noIdentity],
    ['a foreign user is named, and their policies are silent',      bob,   [], keyPolicy({ principal: { AWS: bob } }), noIdentity],
    ['a foreign user is named, and their policies allow',           bob,   [all], keyPolicy({ principal: { AWS: bob } }), 'allowed'],
    ['a foreign user is denied',                                    bob,   [all], keyPolicy({ principal: '*' }, { effect: 'Deny', principal: { AWS: bob } }), notShared],
    ['a service is named',                                          alice, [all], keyPolicy({ principal: { Service: 'ec2.amazonaws.com' } }), noKeyPolicy],
    ['no key policy: the identity policy decides',                  alice, [all], undefined,                         'allowed'],
    ['no key policy, identity policy silent',                       alice, [], undefined,                            noIdentity],
    ['no key policy, another account',                              bob,   [all], undefined,                         notShared],
  ])('%s', (_title, who, policies, policy, outcome) => {
    expect(decide(who, policies, policy)).toBe(outcome)
  })

  it('names the action in a denial', () => {
    expect(decide(alice, [], undefined, 'kms:CreateKey', '*')).toBe(
      'because no identity-based policy allows the kms:CreateKey action',
    )
  })

  it('compares actions case-insensitively, and resources case-sensitively', () => {
    expect(decide(alice, [identity('Allow', 'KMS:encrypt')], standard)).toBe('allowed')
    expect(decide(alice, [identity('Allow', '*', key.toUpperCase())], standard)).toBe(noIdentity)
  })
})

describe('the table of decisions', () => {
  const resources = ['no policy', 'silent', 'allows account', 'allows caller', 'denies'] as const
  const [yes, noKey, noId, shared, denyId, denyRes] = [
    'allowed',
    noKeyPolicy,
    noIdentity,
    notShared,
    denyIdentity,
    denyKey,
  ]
  // biome-ignore format: a table
  const expected: readonly (readonly [Verdicts['account'], Verdicts['identity'], ...string[]])[] = [
    // account  identity   no policy  silent  allows account  allows caller  denies
    ['own',    'denies',  denyId,    denyId, denyId,         denyId,        denyId],
    ['own',    'allows',  yes,       noKey,  yes,            yes,           denyRes],
    ['own',    'silent',  noId,      noKey,  noId,           yes,           denyRes],
    ['other',  'denies',  denyId,    denyId, denyId,         denyId,        denyId],
    ['other',  'allows',  shared,    shared, yes,            yes,           shared],
    ['other',  'silent',  shared,    shared, noId,           noId,          shared],
  ]
  const combinations = expected.flatMap(([account, identity, ...outcomes]) =>
    resources.map((resource, i) => [{ account, identity, resource }, outcomes[i]!] as const),
  )

  const fits = (row: Row, verdicts: Verdicts) =>
    (['account', 'identity', 'resource'] as const).every(name => row[name] === 'any' || row[name] === verdicts[name])

  /** Policies of which these are the verdicts: each also says what is overruled. */
  function policiesOf({ account: whose, identity: own, resource }: Verdicts): Parameters<typeof decide> {
    const who = whose === 'own' ? alice : bob
    const theirs = {
      silent: [identity('Allow', 'kms:Decrypt')],
      allows: [all],
      denies: [all, identity('Deny', 'kms:Encrypt')],
    }
    const byAccount = { principal: { AWS: who.split(':')[4] } }
    const byName = { principal: { AWS: who } }
    const policies = {
      'no policy': undefined,
      silent: keyPolicy({ principal: { AWS: `${who}2` } }, { ...byName, action: 'kms:Decrypt' }),
      'allows account': keyPolicy(byAccount),
      'allows caller': keyPolicy(byAccount, byName, byAccount),
      denies: keyPolicy(byName, { ...byName, effect: 'Deny' }, byName),
    }
    return [who, theirs[own], policies[resource]]
  }

  it.each(combinations)('decides %j', (verdicts, outcome) => {
    expect(decide(...policiesOf(verdicts))).toBe(outcome)
  })

  it('has no unused row, and a row for every combination', () => {
    const deciding = combinations.map(([verdicts]) => rows.find(row => fits(row, verdicts)))
    expect(new Set(deciding)).toEqual(new Set(rows))
  })

  it('is the one of the documentation', () => {
    const cell = (text: string) => (text === 'any' ? '' : text)
    const lines = rows.map(
      ({ account, identity, resource, denied }) =>
        `| ${[account, identity, resource].map(cell).join(' | ')} | ${denied === undefined ? 'allowed' : `denied ${denied.replace('{action}', '`ACTION`')}`} |`,
    )
    expect(readFileSync(join(import.meta.dirname, '../../docs/api.md'), 'utf8')).toContain(lines.join('\n'))
  })
})

describe('globMatches', () => {
  it('agrees with a regular expression of the same meaning', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '.'), maxLength: 12 })
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 })
    const escaped = (c: string) => (c === '*' ? '.*' : c === '?' ? '.' : c.replace(/[.]/, '\\.'))
    fc.assert(
      fc.property(letters, text, (pattern, value) => {
        const expression = new RegExp(`^${[...pattern].map(escaped).join('')}$`)
        expect(globMatches(pattern, value)).toBe(expression.test(value))
      }),
      { numRuns: 2000 },
    )
  })

  it('is not slowed down by many stars', () => {
    expect(globMatches('*a'.repeat(500), `${'a'.repeat(5000)}b`)).toBe(false)
  })
})

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
    ['has a Condition, which is not evaluated yet', policy({ Condition: { Bool: { 'aws:SecureTransport': 'true' } } })],
    ['has NotPrincipal, which is not evaluated yet', policy({ NotPrincipal: { AWS: alice } })],
    ['has NotAction, which is not evaluated yet', policy({ NotAction: 'kms:Encrypt' })],
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
    [
      'The Effect of a statement is a string',
      policy({ Effect: 0 }).replace('"Effect":0', `"Effect":${'['.repeat(15_000)}${']'.repeat(15_000)}`),
    ],
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

  it('that AWS accepted until 2025 is still enforced if it is stored', () => {
    const own = { principal: { AWS: alice } }
    expect(decide(alice, [all], keyPolicy(own, { ...own, effect: 'Deny', action: [] }))).toBe('allowed')
    expect(decide(alice, [all], keyPolicy({ ...own, resource: [] }))).toBe(noKeyPolicy)
    expect(decide(alice, [all], keyPolicy({ principal: { Service: 'x' } }, own))).toBe('allowed')
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

  it('is no identity-based policy, nor the other way round, whichever was parsed before', () => {
    const texts = { key: keyPolicy({ principal: { AWS: alice } }), identity: identity('Allow', 'kms:Twice') }
    for (const kind of ['key', 'identity'] as const) {
      const another = kind === 'key' ? 'identity' : 'key'
      for (let times = 0; times < 2; times++) {
        expect(() => parsePolicyDocument(texts[kind], kind)).not.toThrow()
        expect(() => parsePolicyDocument(texts[kind], another)).toThrow(
          expect.objectContaining({ code: 'MalformedPolicyDocument' }),
        )
      }
    }
  })

  it('is parsed once, and not kept for ever when there are many', () => {
    const long = (sid: string) => keyPolicy({ principal: '*', resource: `*${sid.padEnd(30_000, '*')}` })
    const first = parsePolicyDocument(long('first'), 'key')
    expect(parsePolicyDocument(long('first'), 'key')).toBe(first)
    for (let i = 0; i < 140; i++) parsePolicyDocument(long(`${i}`), 'key')
    expect(parsePolicyDocument(long('first'), 'key')).not.toBe(first)
  })

  it('never makes the parser throw anything but a failure', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), text => {
        try {
          parsePolicyDocument(text, 'key')
        } catch (error) {
          expect(error).toMatchObject({ code: 'MalformedPolicyDocument' })
        }
      }),
    )
  })
})
