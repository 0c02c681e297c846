import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import { applyIdentities } from '../../../src/operations/administration/apply-identities.ts'
import { sqlite } from '../../../src/storage/engines/sqlite.ts'
import { Changes, type Storage } from '../../../src/storage/storage.ts'
import { openHere } from '../../storage/open.ts'
import { account, anAccessKey, anAccount, aPrincipal } from '../../storage/records.ts'
import { type ApplyOptions, applied, exportOf, planned } from './identity-files.ts'

const other = '444455556666'
const allow = (Action: string | string[], rest: object = {}) => ({ Effect: 'Allow', Action, ...rest })
const policy = (...Statement: object[]) => ({ Version: '2012-10-17', Statement })
const reading = policy(allow('kms:Decrypt', { Resource: '*', Sid: 'Read' }))
const trusting = (arn: string) => policy(allow('sts:AssumeRole', { Principal: { AWS: arn } }))

/** Each kind, written so that what is referred to comes last. */
const file = {
  accounts: {
    [account]: {
      name: 'Production',
      roles: {
        backup: {
          trustPolicy: trusting(`arn:aws:iam::${account}:user/alice`),
          maxSessionDuration: '2h',
          permissionsBoundary: 'reading',
          description: 'copies what alice reads',
        },
      },
      users: { alice: { groups: ['developers'], tags: { team: 'blue' }, inlinePolicies: { own: reading } } },
      groups: { developers: { policies: ['reading', 'arn:aws:iam::aws:policy/AdministratorAccess'] } },
      policies: { reading: { document: reading, path: '/' } },
      oidcProviders: { 'https://ci.example.com/group': { audiences: ['strongroom'] } },
    },
  },
}

describe('applying a file of identities', () => {
  let storage: Storage
  beforeEach(async () => {
    storage = await openHere(sqlite(':memory:', { create: true }))
  })
  afterEach(() => storage.close())

  const apply = (written: object, options: ApplyOptions = {}) => applied(written, storage, options)
  const exported = () => exportOf(storage)

  const changed = (change: (accounts: Record<string, Record<string, unknown>>) => void) => {
    const copy = structuredClone(file)
    change((copy.accounts as Record<string, Record<string, unknown>>)[account] as never)
    return copy
  }
  const put = async (...records: [Parameters<Changes['put']>[0], unknown][]) => {
    const changes = new Changes()
    for (const [noun, record] of records) changes.put(noun, record as never)
    await storage.commit(changes)
  }

  it('creates everything, in whichever order it is written, and changes nothing the second time', async () => {
    expect(await apply(file)).toEqual([
      `add account ${account}`,
      'add policy reading',
      'add group developers',
      'add user alice',
      'add role backup',
      'add oidcProvider https://ci.example.com/group',
    ])
    expect(await apply(file)).toEqual([])
    const alice = storage.principals.named(account, 'user', 'alice')!
    expect(storage.principals.policiesOf(alice).policies).toHaveLength(3)
    expect(storage.principals.named(account, 'role', 'backup')).toMatchObject({
      maxSessionDuration: 7200,
      trustPrincipals: { [alice.arn]: alice.principalId },
    })
  })

  it('writes nothing in a dry run, whose steps are those of the apply', async () => {
    const steps = await apply(file, { dryRun: true })
    expect(storage.accounts.all()).toEqual([])
    expect(await apply(file)).toEqual(steps)
  })

  it('does what a dry run has shown, or nothing when that would be something else meanwhile', async () => {
    const { digest } = await planned(file, storage, { dryRun: true })
    await put(['accounts', anAccount(account)], ['principals', aPrincipal('alice')])
    await expect(planned(file, storage, { digest })).rejects.toMatchObject({ code: 'Conflict' })
    expect(storage.groups.ofAccount(account)).toEqual([])
    const again = await planned(file, storage, { dryRun: true })
    expect((await planned(file, storage, { digest: again.digest })).steps).toEqual(again.steps)
  })

  it('exports what it applied: applying that changes nothing', async () => {
    await apply(file)
    const written = await exported()
    expect(await apply(written)).toEqual([])
    await storage.close()
    storage = await openHere(sqlite(':memory:', { create: true }))
    await apply(written)
    expect(await exported()).toEqual(written)
  })

  it('compares policies by what they mean', async () => {
    await apply(file)
    const same = {
      Statement: { Sid: 'Read', Resource: ['*'], Action: ['KMS:Decrypt', 'kms:Decrypt'], Effect: 'Allow' },
    }
    const policies = { reading: { document: JSON.stringify({ ...same, Version: '2012-10-17' }, null, 2) } }
    expect(await apply(changed(one => Object.assign(one, { policies })))).toEqual([])
    const document = policy(allow('kms:Encrypt', { Resource: '*', Sid: 'Read' }), allow('kms:Sign', { Resource: '*' }))
    expect(await apply(changed(one => Object.assign(one, { policies: { reading: { document } } })))).toEqual([
      'change policy reading; document: statement "Read" changed; document: statement 2 added',
    ])
  })

  it('says what changed of each identity', async () => {
    await apply(file)
    const written = changed(one => {
      one.users = { alice: { policies: ['reading'], tags: { team: 'red', site: 'x' }, permissionsBoundary: 'reading' } }
    })
    expect(await apply(written)).toEqual([
      'change user alice; inlinePolicies own removed; tags team: "blue" -> "red"; tags site added; groups: - developers; policies: + reading; permissionsBoundary: none -> "reading"',
    ])
  })

  it('removes what an earlier file had, with the access keys of users, and what others made only when it prunes', async () => {
    await apply(file)
    const alice = storage.principals.named(account, 'user', 'alice')!
    await put(
      ['accessKeys', anAccessKey('AKIAALICE', alice)],
      ['principals', aPrincipal('by-hand')],
      ['accounts', anAccount(other)],
      ['principals', aPrincipal('elsewhere', { account: other, arn: `arn:aws:iam::${other}:user/elsewhere` })],
    )
    const without = changed(one => Object.assign(one, { users: {}, roles: {} }))
    expect(await apply(without)).toEqual(['remove user alice; with 1 access key', 'remove role backup'])
    expect(storage.accessKeys.count()).toBe(0)
    expect(await apply(without, { prune: true })).toEqual(['remove user by-hand'])
    expect(storage.principals.isKnown(other)).toBe(true)
  })

  it('trusts a user that was deleted and created again only once the file is applied again', async () => {
    await apply(file)
    const alice = storage.principals.named(account, 'user', 'alice')!
    const again = { ...alice, principalId: 'AIDAAGAIN' }
    const changes = new Changes()
    changes.remove('principals', alice)
    await storage.commit(changes)
    const trustOf = (written: object) => JSON.stringify(Object.values((written as typeof file).accounts)[0]!.roles)
    expect(trustOf(await exported())).toContain(alice.principalId)
    const retagged = changed(one => {
      one.roles = { backup: { ...file.accounts[account].roles.backup, trustPolicy: trusting(alice.principalId) } }
      one.users = {}
      ;(one.roles as (typeof file.accounts)[typeof account]['roles']).backup.description = 'other'
    })
    expect(await apply(retagged)).toEqual(['change role backup; description: "copies what alice reads" -> "other"'])
    await put(['principals', { ...again, revision: 0 }])
    expect(trustOf(await exported())).toContain(alice.principalId)
    expect(await apply(file)).toEqual([
      'change role backup; description: "other" -> "copies what alice reads"; trustPolicy: statement 1 changed',
    ])
    expect(storage.principals.named(account, 'role', 'backup')).toMatchObject({
      trustPrincipals: { [alice.arn]: 'AIDAAGAIN' },
    })
    expect(trustOf(await exported())).toContain(alice.arn)
    expect(await apply(file)).toEqual([])
  })

  it('adopts what was made by hand', async () => {
    const byHand = aPrincipal('by-hand', { inlinePolicies: [] })
    await put(['accounts', anAccount(account)], ['principals', byHand])
    const written = { accounts: { [account]: { users: { 'by-hand': {} } } } }
    expect(await apply(written)).toEqual([`adopt account ${account}`, 'adopt user by-hand'])
    expect(storage.principals.find(byHand.arn)).toMatchObject({ owner: 'file', principalId: byHand.principalId })
  })

  it.each<[string, Record<string, unknown>, string]>([
    [
      'a policy that does not exist',
      { users: { bob: { policies: ['missing'] } } },
      `there is no managed policy arn:aws:iam::${account}:policy/missing`,
    ],
    [
      'a boundary that does not exist',
      { users: { bob: { permissionsBoundary: 'missing' } } },
      'there is no managed policy',
    ],
    [
      'a group that does not exist',
      { users: { bob: { groups: ['missing'] } } },
      'user bob of account 111122223333: there is no group missing',
    ],
    [
      'a trust policy that names nobody',
      { roles: { r: { trustPolicy: trusting(`arn:aws:iam::${account}:user/nobody`) } } },
      'role r of account 111122223333: Invalid principal in policy',
    ],
    ['a name that differs in case only', { users: { Alice: {} } }, 'there is alice, and names must differ in more'],
    ['new users whose names differ in case only', { users: { Bob: {}, bob: {} } }, 'user bob of account 111122223333'],
    ['new groups whose names differ in case only', { groups: { a: {}, A: {} } }, 'there is a, and names must differ'],
    [
      'new policies whose names differ in case only',
      { policies: { reading: { document: reading }, p: { document: reading }, P: { document: reading } } },
      'there is p, and names must differ',
    ],
    [
      'a policy that is none',
      { policies: { reading: { document: { Statement: [] } } } },
      'policy reading of account 111122223333: Could not parse the policy',
    ],
    [
      'a policy whose statement is none',
      { policies: { reading: { document: { Statement: null } } } },
      'policy reading',
    ],
    [
      'a trust policy whose statements are none',
      { roles: { backup: { trustPolicy: { Statement: ['x', null] } } } },
      'role backup',
    ],
    [
      'text that is nested deeply',
      { policies: { reading: { document: `{"Statement":${'['.repeat(100_000)}${']'.repeat(100_000)}}` } } },
      'policy reading of account 111122223333: nested deeper than 32 levels',
    ],
    [
      'text with __proto__',
      { policies: { reading: { document: '{"__proto__":{}}' } } },
      'nothing can be named __proto__',
    ],
    ['a policy in a list', { policies: { reading: { document: '[]' } } }, 'is not a JSON object'],
    [
      'text that is no JSON',
      { policies: { reading: { document: 'Version: 2012' } } },
      'policy reading of account 111122223333: ',
    ],
    [
      'a policy with principals',
      { users: { bob: { inlinePolicies: { p: trusting(account) } } } },
      'should not specify a principal',
    ],
    [
      'too long inline policies',
      {
        users: {
          bob: { inlinePolicies: { p: policy(allow('kms:*', { Resource: `arn:aws:kms:*:*:${'r'.repeat(2100)}` })) } },
        },
      },
      'the quota is 2048',
    ],
    [
      'the removal of a user whom a role trusts that stays',
      { users: {} },
      'role backup of account 111122223333: Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/alice"',
    ],
    ['another path', { policies: { reading: { document: reading, path: '/other/' } } }, 'its path cannot be changed'],
    [
      'the removal of a policy in use',
      { policies: {} },
      'cannot be removed: arn:aws:iam::111122223333:role/backup has it',
    ],
    ['an issuer that is none', { oidcProviders: { 'http://ci': { audiences: ['a'] } } }, 'is not the URL of an issuer'],
  ])('refuses %s, and changes nothing', async (_, section, message) => {
    await apply(file)
    const before = await exported()
    await expect(apply(changed(one => Object.assign(one, section)))).rejects.toThrow(message)
    expect(await exported()).toEqual(before)
  })

  it('lets a role trust a user that was created again', async () => {
    await apply(file)
    const former = storage.principals.named(account, 'user', 'alice')!
    const removal = new Changes()
    removal.remove('principals', former)
    await storage.commit(removal)
    expect(await apply(file)).toEqual(['add user alice', 'change role backup; trustPolicy: statement 1 changed'])
    const { principalId } = storage.principals.named(account, 'user', 'alice')!
    expect(principalId).not.toBe(former.principalId)
    expect(storage.principals.named(account, 'role', 'backup')).toMatchObject({
      trustPrincipals: { [former.arn]: principalId },
    })
    expect(await apply(file)).toEqual([])
  })

  it('refuses to remove a policy that an identity made by hand has', async () => {
    await apply({ accounts: { [account]: { policies: { reading: { document: reading } } } } })
    await put(['principals', aPrincipal('by-hand', { managedPolicies: [`arn:aws:iam::${account}:policy/reading`] })])
    await expect(apply({ accounts: { [account]: {} } })).rejects.toThrow(
      new Failure(
        'Validation',
        `policy reading of account ${account} cannot be removed: ${aPrincipal('by-hand').arn} has it`,
      ),
    )
  })

  it.each<[object, string]>([
    [{ accounts: { 1: {} } }, 'accounts.1'],
    [{ accounts: { [account]: { users: { 'a b': {} } } } }, 'users'],
    [{ accounts: { [account]: { users: { a: { polices: [] } } } } }, 'polices'],
    [{ accounts: { [account]: { roles: { a: {} } } } }, 'trustPolicy'],
    [
      { accounts: { [account]: { roles: { a: { trustPolicy: {}, maxSessionDuration: '13h' } } } } },
      'maxSessionDuration',
    ],
    [{ accounts: { [account]: { users: { a: { tags: { 'aws:x': 'y' } } } } } }, 'tags'],
    [{ accounts: { [account]: { users: { a: { path: 'x' } } } } }, 'path'],
  ])('finds the mistake in %j', (written, where) => {
    const { error } = applyIdentities.schema.safeParse({ file: written })
    expect(JSON.stringify(error!.issues)).toContain(where.split('.').at(-1))
  })
})
