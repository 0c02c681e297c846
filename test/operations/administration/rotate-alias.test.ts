import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Failure } from '../../../src/errors.ts'
import { operator } from '../../../src/model/identities/caller.ts'
import type { Key } from '../../../src/model/keys/key.ts'
import { listAliasKeys } from '../../../src/operations/administration/list-alias-keys.ts'
import { rotateAlias } from '../../../src/operations/administration/rotate-alias.ts'
import type { Hsms } from '../../../src/services.ts'
import { sqlite } from '../../../src/storage/engines/sqlite.ts'
import { Changes, Conflict, type Noun, type Records, type Storage } from '../../../src/storage/storage.ts'
import { openHere } from '../../storage/open.ts'
import {
  account,
  aGrant,
  aKey,
  aMaterial,
  anAccount,
  anAlias,
  anObject,
  aPrincipal,
  region,
} from '../../storage/records.ts'

let storage: Storage
let unsupported: string | undefined
const destroyed: string[] = []
const custody = anObject(1).custody

const hsm = {
  name: 'main',
  transfersTo: [],
  random: async (length: number) => crypto.getRandomValues(new Uint8Array(length)),
  generateKey: async () => ({ custody, checkValue: undefined }),
  destroyKey: async (object: string) => void destroyed.push(object),
  whyUnsupported: () => unsupported,
}
const hsms = { all: [hsm], ofRegion: () => hsm, named: () => hsm } as unknown as Hsms
let time = 1_800_000_000_000
const clock = () => ++time

beforeEach(async () => {
  storage = await openHere(sqlite(':memory:', { create: true }))
  unsupported = undefined
  destroyed.length = 0
  await put('accounts', anAccount(account))
})
afterEach(() => storage.close())

async function put<N extends Noun>(noun: N, ...records: Records[N][]): Promise<void> {
  const changes = new Changes()
  for (const record of records) changes.put(noun, record)
  await storage.commit(changes)
}

/** As the path does it. */
async function rotate(alias: string, rest: object = {}) {
  const { input, target } = await asked({ alias, dryRun: false, ...rest })
  const changes = new Changes()
  const output = (await rotateAlias.run({ input, target, storage, hsms, clock, changes } as never))!
  return { output, commit: () => storage.commit(changes), undo: () => rotateAlias.undo!(changes, { hsms }) }
}

async function asked(given: object) {
  const input = rotateAlias.schema.parse(given)
  const search = { caller: operator(1), storage, hsms, operation: 'RotateAlias' }
  return { input, target: await rotateAlias.target.find(input, search) }
}

async function rotated(alias: string, rest?: object) {
  const { output, commit } = await rotate(alias, rest)
  await commit()
  return output
}

/** Its code and text. */
async function refused(alias: string, rest?: object): Promise<string> {
  const failure = await rotate(alias, rest).then(
    () => undefined,
    (thrown: Failure) => thrown,
  )
  return `${failure?.code}: ${failure?.message}`
}

const keysOf = async (alias: string) => {
  const { target } = await asked({ alias })
  const { keys } = (await listAliasKeys.run({ target, storage } as never))!
  return keys.map(({ arn, role, state }) => [role, arn, state])
}

async function anAliasOf(key: Key, name = 'app') {
  await put('keys', key)
  await put('aliases', anAlias(name, key))
}

const stored = (arn: string) => storage.keys.find(arn)!
const targetOf = (name: string) => storage.aliases.find(anAlias(name, aKey(1)).arn)!.targetKeyArn

describe('the rotation of an alias', () => {
  it('points it at a new key that is like the old one but for id, material and grants', async () => {
    const { arn: principal, principalId } = aPrincipal('former')
    const { id } = aKey(1)
    const key = aKey(1, {
      spec: 'RSA_2048',
      usage: 'SIGN_VERIFY',
      description: 'signs releases',
      tags: [{ TagKey: 'team', TagValue: 'blue' }],
      policy: `{"Statement":[{"Principal":{"AWS":"${principal}"},"Resource":"arn:aws:kms:${region}:${account}:key/${id}"}]}`,
      policyPrincipals: { [principal]: principalId },
      automaticRotation: { periodInDays: 100, nextDate: 5 },
    })
    await anAliasOf(key)
    await put('grants', aGrant(1, key))
    const { newKeyArn, created, moved, formerKey } = await rotated('alias/app')
    expect({ created, moved, grants: formerKey.grants }).toEqual({ created: true, moved: true, grants: 1 })
    const next = stored(newKeyArn!)
    expect(targetOf('app')).toBe(next.arn)
    const { arn, materials, creationDate, policy, automaticRotation, revision: _, ...same } = next
    expect(same).toEqual({ ...same, ...without(key), id: arn.slice(-36) })
    expect(policy).toBe(key.policy.replace(id, same.id))
    expect(automaticRotation).toEqual({ periodInDays: 100, nextDate: creationDate + 100 * 86_400_000 })
    expect(materials).toMatchObject([{ createdAt: creationDate, object: { hsm: 'main' } }])
    expect(materials[0]!.id).not.toBe(key.materials[0]!.id)
    expect(storage.grants.count(next.arn)).toBe(0)
  })

  const without = ({ arn: _, id: _id, materials, creationDate, policy, automaticRotation, revision, ...same }: Key) =>
    same

  it.each<[string, Partial<Key>]>([
    ['disabled', { state: 'Disabled' }],
    ['pending deletion', { state: 'PendingDeletion', deletionDate: 1_900_000_000_000 }],
    ['lost on the HSM', { custodyFault: 'missing' }],
  ])('makes an enabled key for one that is %s', async (_, rest) => {
    await anAliasOf(aKey(1, rest))
    const { newKeyArn, formerKey } = await rotated('alias/app')
    expect(formerKey.state).not.toBe('Enabled')
    const { state, deletionDate, custodyFault } = stored(newKeyArn!)
    expect({ state, deletionDate, custodyFault }).toEqual({ state: 'Enabled' })
  })

  it('changes nothing in a dry run, which is refused for the same reasons', async () => {
    await anAliasOf(aKey(1))
    expect(await rotated('alias/app', { dryRun: true })).toMatchObject({ created: true, moved: true })
    expect(await keysOf('alias/app')).toEqual([['current', aKey(1).arn, 'Enabled']])
    unsupported = 'it is too old'
    expect(await refused('alias/app', { dryRun: true })).toMatch(/^UnsupportedOperation: .*it is too old/)
    expect(await refused('alias/app')).toMatch(/^UnsupportedOperation: .*it is too old/)
  })

  it('conflicts with another one, and with a change of the old key, and takes back its object', async () => {
    await anAliasOf(aKey(1))
    const attempts = [await rotate('alias/app'), await rotate('alias/app')]
    const described = { ...stored(aKey(1).arn), description: 'changed meanwhile' }
    await attempts[0]!.commit()
    await expect(attempts[1]!.commit()).rejects.toBeInstanceOf(Conflict)
    await attempts[1]!.undo()
    expect(destroyed).toHaveLength(1)
    expect(stored(attempts[0]!.output.newKeyArn!).materials[0]!.object!.id).not.toBe(destroyed[0])
    await expect(put('keys', described)).rejects.toBeInstanceOf(Conflict)
  })

  it('is remembered: each key that the alias had, the latest first, also once it is deleted', async () => {
    await anAliasOf(aKey(1))
    const arns = [aKey(1).arn]
    for (let round = 0; round < 3; round++) arns.unshift((await rotated('alias/app')).newKeyArn!)
    const roles = ['current', 'former', 'former', 'former']
    expect(await keysOf('alias/app')).toEqual(arns.map((arn, index) => [roles[index], arn, 'Enabled']))
    const changes = new Changes()
    changes.remove('keys', stored(arns[1]!))
    await storage.commit(changes)
    expect((await keysOf('alias/app'))[1]).toEqual(['former', arns[1], undefined])
  })
})

describe('the rotation of an alias whose key has imported key material', () => {
  const imported = aKey(1, { origin: 'EXTERNAL', materials: [{ ...aMaterial(1), imported: {} }] })
  const filled = (arn: string) => put('keys', { ...stored(arn), materials: [{ ...aMaterial(2), imported: {} }] })
  beforeEach(() => anAliasOf(imported))

  it('creates a key without material, again and again the same, and moves the alias once the material is there', async () => {
    const first = await rotated('alias/app')
    expect(first).toMatchObject({ created: true, moved: false, newKey: { state: 'PendingImport', origin: 'EXTERNAL' } })
    const arn = first.newKeyArn!
    expect(await rotated('alias/app')).toMatchObject({ created: false, moved: false, newKeyArn: arn })
    expect(targetOf('app')).toBe(imported.arn)
    expect(await keysOf('alias/app')).toEqual([
      ['successor', arn, 'PendingImport'],
      ['current', imported.arn, 'Enabled'],
    ])
    await filled(arn)
    expect(await rotated('alias/app', { dryRun: true })).toMatchObject({ created: false, moved: true, newKeyArn: arn })
    expect(targetOf('app')).toBe(imported.arn)
    expect(await rotated('alias/app')).toMatchObject({ created: false, moved: true, newKeyArn: arn })
    expect(await keysOf('alias/app')).toEqual([
      ['current', arn, 'Enabled'],
      ['former', imported.arn, 'Enabled'],
    ])
    expect((await rotated('alias/app')).newKeyArn).not.toBe(arn)
  })

  it('never points the alias at a key that cannot be used, or has the most aliases', async () => {
    const { newKeyArn } = await rotated('alias/app')
    await filled(newKeyArn!)
    await put('keys', { ...stored(newKeyArn!), state: 'Disabled' })
    expect(await refused('alias/app')).toBe(`Disabled: ${newKeyArn} is disabled.`)
    await put('keys', { ...stored(newKeyArn!), state: 'Enabled' })
    const others = Array.from({ length: 50 }, (_, number) => anAlias(`other-${number}`, stored(newKeyArn!)))
    await put('aliases', ...others)
    expect(await refused('alias/app')).toMatch(/^LimitExceeded: .* current usage is 50\.$/)
    expect(targetOf('app')).toBe(imported.arn)
  })

  it('is refused while the present key has never had material', async () => {
    const empty = aKey(4, { origin: 'EXTERNAL', materials: [] })
    await anAliasOf(empty, 'empty')
    expect(await refused('alias/empty')).toBe(`InvalidState: ${empty.arn} is pending import.`)
    expect(await refused('alias/empty', { dryRun: true })).toBe(`InvalidState: ${empty.arn} is pending import.`)
  })

  it('begins anew if the key that waits is to be deleted, or is gone', async () => {
    const first = await rotated('alias/app')
    await put('keys', { ...stored(first.newKeyArn!), state: 'PendingDeletion', deletionDate: time })
    const second = await rotated('alias/app')
    expect(second).toMatchObject({ created: true, moved: false })
    expect(second.newKeyArn).not.toBe(first.newKeyArn)
    const changes = new Changes()
    changes.remove('keys', stored(second.newKeyArn!))
    await storage.commit(changes)
    expect((await rotated('alias/app')).created).toBe(true)
  })
})

describe('an alias', () => {
  const other = '444455556666'
  const elsewhere = aKey(2, { region: 'eu-west-1', arn: aKey(2).arn.replace(region, 'eu-west-1') })
  const foreign = aKey(3, { account: other, arn: aKey(3).arn.replace(account, other) })

  it('is named by account and region, unless there is one only, or by its ARN', async () => {
    await anAliasOf(aKey(1))
    expect(await rotated('alias/app')).toMatchObject({ formerKeyArn: aKey(1).arn })
    await anAliasOf(elsewhere)
    expect(await refused('alias/app')).toBe(
      `Validation: alias/app is in several regions: name one of ${region}, eu-west-1`,
    )
    expect(await rotated('alias/app', { region: 'eu-west-1' })).toMatchObject({ formerKeyArn: elsewhere.arn })
    await put('accounts', anAccount(other))
    await anAliasOf(foreign)
    expect(await refused('alias/app')).toBe('Validation: there are several accounts: name one')
    expect(await rotated('alias/app', { account: other })).toMatchObject({ formerKeyArn: foreign.arn })
    const { arn } = anAlias('app', foreign)
    expect((await rotated(arn)).newKey!.arn).toContain(other)
    expect(await refused(arn, { account })).toBe(`Validation: ${arn} is in account ${other} and region ${region}`)
  })

  it.each(['', 'alias/a\nb', 'alias/ä', 'alias/ ', `alias/${'x'.repeat(3000)}`])('cannot be called %j', alias => {
    expect(rotateAlias.schema.safeParse({ alias }).error?.issues).toMatchObject([
      { path: ['alias'], message: 'not the name or ARN of an alias' },
    ])
  })

  it.each<[string, object, string]>([
    ['app', {}, 'Validation: the name of an alias begins with alias/'],
    ['alias/none', {}, `NotFound: account ${account} has no alias alias/none`],
    ['alias/app', { region: 'eu-west-1' }, `NotFound: account ${account} has no alias alias/app in region eu-west-1`],
    ['alias/app', { account: other }, `NotFound: there is no account ${other}`],
    [aKey(1).arn, {}, `NotFound: there is no alias ${aKey(1).arn}`],
    [
      'alias/aws/s3',
      {},
      'NotAuthorized: the key of alias/aws/s3 is managed by s3.amazonaws.com: only automatic rotation changes it',
    ],
  ])('called %s %j is refused', async (name, rest, expected) => {
    await anAliasOf(aKey(1))
    await anAliasOf(aKey(2, { manager: { service: 's3.amazonaws.com', owned: false } }), 'aws/s3')
    expect(await refused(name, rest)).toBe(expected)
  })
})

describe('the rotation of an alias of a multi-Region key', () => {
  const id = 'mrk-1234abcd12ab34cd56ef1234567890ab'
  const regions = [region, 'us-east-1', 'eu-west-1']
  const hmac = { spec: 'HMAC_256', usage: 'GENERATE_VERIFY_MAC' } as const

  /** The key in the first region is a replica, with an alias in each region. */
  async function keysIn(rest: Partial<Key> = {}): Promise<readonly Key[]> {
    const keys = regions.map((region, index) =>
      aKey(1, {
        ...hmac,
        id,
        region,
        multiRegion: index === 1 ? 'PRIMARY' : 'REPLICA',
        description: region,
        policy: `{"Resource":"${id}"}`,
        ...rest,
      }),
    )
    await put('keys', ...keys)
    await put('aliases', ...keys.map(key => anAlias('app', key)))
    return keys.map(({ arn }) => stored(arn))
  }
  const relatedTo = (arn: string) => [stored(arn), ...storage.keys.related(stored(arn))]
  const inRegion = (region: string) => ({ region })

  it('creates a successor in the same regions, and the alias of each is moved when that is rotated', async () => {
    const keys = await keysIn()
    const { newKeyArn, moved, aliasesElsewhere } = await rotated('alias/app', inRegion(region))
    expect(moved).toBe(true)
    const successors = relatedTo(newKeyArn!)
    expect(aliasesElsewhere).toHaveLength(2)
    expect(successors.map(({ region, multiRegion, description }) => [region, multiRegion, description]).sort()).toEqual(
      keys.map(({ region, multiRegion, description }) => [region, multiRegion, description]).sort(),
    )
    for (const { id, policy, materials } of successors) {
      expect(id).toMatch(/^mrk-[0-9a-f]{32}$/)
      expect(policy).toBe(`{"Resource":"${id}"}`)
      expect(materials).toEqual(successors[0]!.materials)
    }
    for (const other of regions.slice(1)) {
      const again = await rotated('alias/app', inRegion(other))
      expect(again).toMatchObject({ created: false, moved: true })
      expect(stored(again.newKeyArn!).id).toBe(successors[0]!.id)
    }
    expect(storage.keys.all()).toHaveLength(6)
  })

  it('of imported material waits for its import in every region', async () => {
    await keysIn({ origin: 'EXTERNAL' })
    const { newKeyArn, moved, pendingImport } = await rotated('alias/app', inRegion(region))
    expect(moved).toBe(false)
    expect(pendingImport).toHaveLength(3)
    expect(pendingImport[0]).toBe(newKeyArn)
    const import_ = (key: Key) => put('keys', { ...key, materials: [{ ...aMaterial(9), imported: {} }] })
    const [own, ...others] = relatedTo(newKeyArn!)
    await import_(own!)
    expect(await rotated('alias/app', inRegion(region))).toMatchObject({
      moved: false,
      pendingImport: others.map(({ arn }) => arn),
    })
    for (const other of others) await import_(other)
    expect(await rotated('alias/app', inRegion(region))).toMatchObject({ moved: true, newKeyArn })
  })

  it('leaves out the regions where the key is to be deleted', async () => {
    const keys = await keysIn()
    await put('keys', { ...keys[1]!, state: 'PendingReplicaDeletion', pendingWindowInDays: 7 })
    const { newKeyArn } = await rotated('alias/app', inRegion(region))
    expect(relatedTo(newKeyArn!).map(({ region, multiRegion }) => [region, multiRegion])).toEqual([
      [region, 'PRIMARY'],
      ['eu-west-1', 'REPLICA'],
    ])
  })

  it('conflicts with a change of the old key in any region', async () => {
    const keys = await keysIn()
    const { commit } = await rotate('alias/app', inRegion(region))
    await put('keys', { ...keys[2]!, description: 'changed' })
    await expect(commit()).rejects.toThrow(Conflict)
  })
})
