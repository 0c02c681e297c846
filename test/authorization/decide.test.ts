import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decide as decideBy, evaluate, type Row, rows, type Verdicts } from '../../src/authorization/decide.ts'
import type { AccessRequest, FittingGrant, Policies } from '../../src/authorization/request.ts'
import { defaultKeyPolicy } from '../../src/model/keys/key.ts'
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

  it('enforces a stored policy that AWS accepted until 2025: a statement without Action or Resource applies to nothing', () => {
    const own = { principal: { AWS: alice } }
    expect(decide(alice, [all], keyPolicy(own, { ...own, effect: 'Deny', action: [] }))).toBe('allowed')
    expect(decide(alice, [all], keyPolicy({ ...own, resource: [] }))).toBe(noKeyPolicy)
    expect(decide(alice, [all], keyPolicy({ principal: { Service: 'x' } }, own))).toBe('allowed')
  })

  it('lets a stored policy that cannot be read deny everything', () => {
    for (const text of ['', '{', '{"Statement":[]}', standard.replace('{', '{"Version":"2012-10-17",')]) {
      expect(decide(alice, [all], text)).toBe(denyKey)
      expect(decide(alice, [all, text], standard)).toBe(denyIdentity)
    }
  })

  it('compares actions case-insensitively, and resources case-sensitively', () => {
    expect(decide(alice, [identity('Allow', 'KMS:encrypt')], standard)).toBe('allowed')
    expect(decide(alice, [identity('Allow', '*', key.toUpperCase())], standard)).toBe(noIdentity)
  })
})

describe('the table of decisions', () => {
  const verdictsOf = {
    account: ['own', 'other', 'none'],
    resource: ['denies', 'allows caller', 'allows role', 'allows account', 'silent', 'no policy'],
    identity: ['denies', 'allows', 'silent'],
    boundary: ['denies', 'allows', 'silent'],
    session: ['denies', 'allows', 'silent'],
  } as const
  const names = Object.keys(verdictsOf) as (keyof Verdicts)[]
  const combinations = names.reduce<Record<string, string>[]>(
    (made, name) => made.flatMap(one => verdictsOf[name].map(verdict => ({ ...one, [name]: verdict }))),
    [{}],
  ) as unknown as Verdicts[]
  const fits = (row: Row, verdicts: Verdicts) =>
    names.every(name => row[name] === 'any' || row[name] === verdicts[name])

  /** Policies of which these are the verdicts: each also says what is overruled. */
  function policiesFor({ account: whose, identity: own, resource, boundary, session }: Verdicts) {
    const owner = whose === 'own' ? account : other
    const arn = `arn:aws:sts::${owner}:assumed-role/backup/nightly`
    const roleArn = `arn:aws:iam::${owner}:role/service/backup`
    const says = {
      silent: [identity('Allow', 'kms:Decrypt')],
      allows: [all],
      denies: [all, identity('Deny', 'kms:Encrypt')],
    }
    const both = (texts: readonly string[]) =>
      JSON.stringify({ Version: '2012-10-17', Statement: texts.map(text => JSON.parse(text).Statement) })
    const byAccount = { principal: { AWS: owner } }
    const byRole = { principal: { AWS: roleArn } }
    const byName = { principal: whose === 'none' ? { Service: 's3.amazonaws.com' } : { AWS: arn } }
    const silent = keyPolicy({ principal: { AWS: `${arn}2` } }, { ...byName, action: 'kms:Decrypt' })
    const policies = {
      'no policy': undefined,
      silent,
      'allows account': keyPolicy(byAccount),
      'allows role': keyPolicy(byAccount, byRole, byAccount),
      'allows caller': keyPolicy(byAccount, byName, byRole),
      denies: keyPolicy(byName, { ...byName, effect: 'Deny' }, byName),
    }
    const request: AccessRequest = {
      principal:
        whose === 'none'
          ? { arn: 's3.amazonaws.com', service: 's3.amazonaws.com', account: '', principalId: '' }
          : { arn, roleArn, account: owner, principalId: 'AROAEXAMPLE0000000001:nightly' },
      action: 'kms:Encrypt',
      resource: key,
      account,
      context: () => undefined,
    }
    // For another account, only a grant allows more than its identity-based policies do; a service has no role or account to be named.
    const grantee = whose !== 'own' && resource.startsWith('allows ') && (resource.slice('allows '.length) as 'role')
    const given: Policies = {
      identity: says[own],
      boundary: both(says[boundary]),
      session: says[session],
      resource: resource === 'no policy' ? undefined : { text: grantee ? silent : policies[resource]! },
      grant: () => (grantee ? { id: 'g', grantee } : undefined),
    }
    return { request, given }
  }

  it('has policies for every combination of verdicts, and decides by its first row that fits', () => {
    for (const verdicts of combinations) {
      const { request, given } = policiesFor(verdicts)
      const evaluation = evaluate(request, given)
      const isDenied = Object.values(verdicts).includes('denies')
      // A grant is not asked for when a policy denies.
      if (!isDenied || verdicts.account === 'own') expect(evaluation.verdicts).toEqual(verdicts)
      const row = rows.find(candidate => fits(candidate, evaluation.verdicts))!
      expect(evaluation.row).toBe(row)
      expect(decideBy(request, given)).toMatchObject({
        allowed: row.denied === undefined,
        outcome: isDenied ? 'ExplicitDeny' : row.denied === undefined ? 'Allow' : 'ImplicitDeny',
      })
    }
  })

  it('has no row that never decides', () => {
    const deciding = combinations.map(verdicts => rows.find(row => fits(row, verdicts)))
    expect(new Set(deciding)).toEqual(new Set(rows))
  })

  it('is the one of the documentation', () => {
    const cell = (text: string) => (text === 'any' ? '' : text)
    const lines = rows.map(
      row =>
        `| ${names.map(name => cell(row[name])).join(' | ')} | ${row.denied === undefined ? 'allowed' : `denied ${row.denied.replace('{action}', '`ACTION`')}`} |`,
    )
    expect(readFileSync(join(import.meta.dirname, '../../docs/policies.md'), 'utf8')).toContain(lines.join('\n'))
  })
})

describe('boundaries, session policies and grants', () => {
  const role = `arn:aws:iam::${account}:role/service/backup`
  const session = `arn:aws:sts::${account}:assumed-role/backup/nightly`
  const foreignRole = role.replace(account, other)
  const foreignSession = session.replace(account, other)
  const none = identity('Allow', 'kms:Decrypt')
  const noBoundary = 'because no permissions boundary allows the kms:Encrypt action'
  const noSession = 'because no session policy allows the kms:Encrypt action'
  const named = (name: string) => keyPolicy({ principal: { AWS: name } })
  const silent = named(bob.replace('bob', 'carol'))
  const to = (grantee: FittingGrant['grantee']) => () => ({ id: 'g', grantee })

  function decideFor(arn: string, policies: Policies & { key: string }) {
    const owner = arn.split(':')[4]!
    const roleArn = arn.includes('assumed-role') ? (owner === account ? role : foreignRole) : undefined
    const principal = { arn, account: owner, principalId: '', ...(roleArn !== undefined && { roleArn }) }
    const request = { principal, action: 'kms:Encrypt', resource: key, account, context: () => undefined }
    const decision = decideBy(request, { resource: { text: policies.key }, ...policies })
    return decision.allowed ? 'allowed' : decision.because
  }

  // biome-ignore format: a table
  it.each<[string, string, Policies & { key: string }, string]>([
    ['a boundary limits what the account delegates',                   alice,   { key: standard, identity: [all], boundary: none }, noBoundary],
    ['a boundary grants nothing',                                      alice,   { key: standard, identity: [], boundary: all }, noIdentity],
    ['a boundary that allows lets the identity policies decide',       alice,   { key: standard, identity: [all], boundary: all }, 'allowed'],
    ['a key policy that names the user is not limited by a boundary',  alice,   { key: named(alice), identity: [], boundary: none }, 'allowed'],
    ['but by its explicit deny',                                       alice,   { key: named(alice), identity: [], boundary: identity('Deny', '*') }, 'with an explicit deny in a permissions boundary'],
    ['a session policy limits what the account delegates',             session, { key: standard, identity: [all], session: [none] }, noSession],
    ['a session policy grants nothing',                                session, { key: standard, identity: [], session: [all] }, noIdentity],
    ['one of several session policies is enough',                      session, { key: standard, identity: [all], session: [none, all] }, 'allowed'],
    ['an explicit deny in a session policy wins',                      session, { key: named(session), identity: [], session: [all, identity('Deny', '*')] }, 'with an explicit deny in a session policy'],
    ['naming the role needs no identity policy',                       session, { key: named(role), identity: [] }, 'allowed'],
    ['naming the role is limited by a session policy',                 session, { key: named(role), identity: [all], session: [none] }, noSession],
    ['naming the role is limited by a boundary',                       session, { key: named(role), identity: [all], boundary: none }, noBoundary],
    ['naming the session is limited by neither',                       session, { key: named(session), identity: [], boundary: none, session: [none] }, 'allowed'],
    ['everybody is limited by neither',                                session, { key: named('*'), identity: [], boundary: none, session: [none] }, 'allowed'],
    ['naming a foreign session needs identity and session policies',   foreignSession, { key: named(foreignSession), identity: [all], session: [none] }, noSession],
    ['naming a foreign session needs its boundary',                    foreignSession, { key: named(foreignSession), identity: [all], boundary: none }, noBoundary],
    ['naming a foreign role needs its identity policies',              foreignSession, { key: named(foreignRole), identity: [] }, noIdentity],
    ['naming a foreign role, whose identity policies allow',           foreignSession, { key: named(foreignRole), identity: [all], session: [all], boundary: all }, 'allowed'],
    ['a grant to the caller needs no identity policy',                 alice,   { key: silent, identity: [], grant: to('caller') }, 'allowed'],
    ['a grant to the caller is not limited by boundary and session',   session, { key: silent, identity: [], boundary: none, session: [none], grant: to('caller') }, 'allowed'],
    ['a grant to the role is limited by a session policy',             session, { key: silent, identity: [all], session: [none], grant: to('role') }, noSession],
    ['a grant to the role is limited by a boundary',                   session, { key: silent, identity: [all], boundary: none, grant: to('role') }, noBoundary],
    ['a grant to the account lets its identity policies decide',       alice,   { key: silent, identity: [all], grant: to('account') }, 'allowed'],
    ['a grant to the account gives no user anything by itself',        alice,   { key: silent, identity: [], grant: to('account') }, noIdentity],
    ['a grant never overrides a deny of the key policy',               alice,   { key: keyPolicy({ effect: 'Deny', principal: '*' }), identity: [], grant: to('caller') }, denyKey],
    ['a grant never overrides a deny of an identity policy',           alice,   { key: silent, identity: [identity('Deny', '*')], grant: to('caller') }, denyIdentity],
    ['a grant to a foreign caller needs no identity policy',           bob,     { key: silent, identity: [], grant: to('caller') }, 'allowed'],
    ['a grant to a foreign account lets its identity policies decide', bob,     { key: silent, identity: [], grant: to('account') }, noIdentity],
    ['no grant, no policy: another account learns nothing',            bob,     { key: silent, identity: [all], grant: () => undefined }, notShared],
    ['the root user of the account is the account',                    `arn:aws:iam::${account}:root`, { key: standard, identity: [] }, 'allowed'],
    ['the root user needs the key policy',                             `arn:aws:iam::${account}:root`, { key: silent, identity: [] }, noKeyPolicy],
    ['a foreign root user has every identity permission',              `arn:aws:iam::${other}:root`, { key: named(other), identity: [] }, 'allowed'],
  ])('%s', (_title, arn, policies, outcome) => {
    expect(decideFor(arn, policies)).toBe(outcome)
  })

  it('asks for a grant only when no policy has decided', () => {
    const grant = () => {
      throw new Error('asked')
    }
    expect(decideFor(alice, { key: named(alice), identity: [], grant })).toBe('allowed')
    expect(decideFor(alice, { key: standard, identity: [all], grant })).toBe('allowed')
    expect(decideFor(alice, { key: silent, identity: [identity('Deny', '*')], grant })).toBe(denyIdentity)
    expect(() => decideFor(alice, { key: silent, identity: [], grant })).toThrow('asked')
  })
})

describe('an identity-based policy alone is never enough for a KMS key', () => {
  const others = keyPolicy({ principal: { AWS: alice.replace('alice', 'carol') } })
  const named = keyPolicy({ principal: { AWS: alice } })
  const deny = [all, identity('Deny', 'kms:Encrypt')]

  // biome-ignore format: a table
  it.each<[string, string, string, string, string]>([
    // key policy names   identity policy   its text   without a grant  with a grant that fits
    ['the caller',        'allows',        named,     'allowed',       'allowed'],
    ['the caller',        'says nothing',  named,     'allowed',       'allowed'],
    ['the caller',        'denies',        named,     denyIdentity,    denyIdentity],
    ['the account',       'allows',        standard,  'allowed',       'allowed'],
    ['the account',       'says nothing',  standard,  noIdentity,      'allowed'],
    ['the account',       'denies',        standard,  denyIdentity,    denyIdentity],
    ['another principal', 'allows',        others,    noKeyPolicy,     'allowed'],
    ['another principal', 'says nothing',  others,    noKeyPolicy,     'allowed'],
    ['another principal', 'denies',        others,    denyIdentity,    denyIdentity],
  ])('key policy names %s, identity policy %s', (_names, identity, text, without, withGrant) => {
    const policies = { allows: [all], 'says nothing': [], denies: deny }[identity]!
    const decideWith = (grant?: () => FittingGrant) => {
      const principal = aUser(alice, policies)
      const request = { principal, action: 'kms:Encrypt', resource: key, account, context: () => undefined }
      const decision = decideBy(request, { identity: policies, resource: { text }, grant })
      return decision.allowed ? 'allowed' : decision.because
    }
    expect(decideWith()).toBe(without)
    expect(decideWith(() => ({ id: 'g', grantee: 'caller' }))).toBe(withGrant)
  })
})
