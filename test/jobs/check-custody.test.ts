import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import type { Hsm } from '../../src/hsm/hsm.ts'
import { checkCustody } from '../../src/jobs/check-custody.ts'
import { deleteKeys } from '../../src/jobs/delete-keys.ts'
import { destroyObjects } from '../../src/jobs/destroy-objects.ts'
import { encryptionPurposes, type Key, objectOf, systemKeyPurposes } from '../../src/model/keys/key.ts'
import type { JobServices } from '../../src/services.ts'
import { Changes } from '../../src/storage/storage.ts'
import { createMaterial } from '../../src/vault/materials.ts'
import { systemKeyKinds } from '../../src/vault/system-keys.ts'
import { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { duplicate } from '../hsm/token/duplicate.ts'
import { committing, type Fixture, openFixture } from './fixture.ts'

const minute = 60_000
const hour = 60 * minute

let faults: FaultHsm
let fixture: Fixture
let count = 0

beforeAll(async () => {
  fixture = await openFixture(softHsm => {
    faults = new FaultHsm(softHsm.directory)
    const environment = { ...softHsm.options.environment, ...faults.environment() }
    return { library: faults.library, environment, workers: 2, transfersTo: ['another'] }
  })
  const changes = new Changes()
  for (const purpose of [...encryptionPurposes, 'audit'] as const) {
    const material = await createMaterial(fixture.hsm, systemKeyKinds[purpose], purpose, fixture.time)
    changes.put('systemKeys', { purpose, material, revision: 0 })
  }
  const id = '7f'.repeat(32)
  const object = { id, hsm: 'test', ...(await fixture.hsm.createWrappingKey(id, 'RSA_2048', 'transfer')) }
  changes.put('systemKeys', { purpose: 'transfer', material: { id, createdAt: fixture.time, object }, revision: 0 })
  await fixture.storage.commit(changes)
})
beforeEach(() => {
  fixture.records.length = 0
  fixture.logged.length = 0
})
afterEach(() => faults.clear())
afterAll(() => fixture?.close())

const material = ({ materials }: Key) => materials[0]!.id
const byKey = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
const now = ({ arn }: Key) => fixture.storage.keys.find(arn)!
const start = (services: Partial<JobServices> = {}) => checkCustody.start({ ...fixture.services, ...services })
const alarms = () => fixture.logged.filter(({ event }) => event === 'custody_fault')

type Mutable<T> = { -readonly [Member in keyof T]: T[Member] }

/** The same HSM with some calls of its own. */
function withHsm(own: Partial<Hsm>): Pick<JobServices, 'hsms'> {
  const { hsm } = fixture
  const changed = new Proxy(hsm, {
    get(_, member) {
      if (member in own) return own[member as keyof Hsm]
      const value = hsm[member as keyof Hsm]
      return typeof value === 'function' ? value.bind(hsm) : value
    },
  })
  const hsms: JobServices['hsms'] = {
    all: [changed],
    serves: () => true,
    regional: [changed],
    named: () => changed,
    ofRegion: () => changed,
    for: () => hsms,
  }
  return { hsms }
}

const kinds = [
  ['an AES key', { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' }],
  ['an RSA key', { spec: 'RSA_2048', usage: 'SIGN_VERIFY' }],
  ['an EC key', { spec: 'ECC_NIST_P256', usage: 'KEY_AGREEMENT' }],
  ['an HMAC key', { spec: 'HMAC_256', usage: 'GENERATE_VERIFY_MAC' }],
  ['a key that may be transferred', { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT', multiRegion: 'PRIMARY' }],
] as const

describe.each(kinds)('%s', (_name, kind) => {
  let key: Key
  let other: Key

  beforeAll(async () => {
    ;[key, other] = [await fixture.key(++count, kind), await fixture.key(++count, kind)]
    expect(objectOf(key.materials[0]!).custody.wrapWithTrusted).toBe('multiRegion' in kind ? true : undefined)
  })

  it.each([
    ['missing', () => faults.set(`hide ${material(key)}`), () => faults.clear()],
    ['wrong_key', () => faults.set(`swap ${material(key)} ${material(other)}`), () => faults.clear()],
    ['wrong_attributes', () => faults.set(`expose ${material(key)}`), () => faults.clear()],
    [
      'duplicate',
      () => duplicate('create', material(key), fixture.softHsm),
      () => duplicate('destroy', material(key), fixture.softHsm),
    ],
  ] as const)('that is %s is marked and logged, until it is fixed', async (fault, harm, mend) => {
    const run = start()
    await run()
    expect(now(key).custodyFault).toBeUndefined()
    harm()
    fixture.time += hour
    await run()
    expect(now(key)).toMatchObject({ state: 'Enabled', custodyFault: fault })
    const marked = fault === 'wrong_key' ? [key, other] : [key]
    const told = marked.map(one => ({ hsm: 'test', key: one.arn, object: material(one), fault }))
    expect(
      alarms()
        .map(({ attributes, event, ...fields }) => fields)
        .sort(byKey),
    ).toEqual(told)
    expect(fixture.faults).toEqual({
      missing: 0,
      duplicate: 0,
      wrong_key: 0,
      wrong_attributes: 0,
      [fault]: marked.length,
    })
    expect(fixture.unhealthy).toEqual({ keys: marked.length, systemKeys: 0 })
    await run()
    expect(alarms()).toHaveLength(marked.length)

    mend()
    fixture.time += minute
    await run()
    expect(now(key).custodyFault).toBeUndefined()
    expect(fixture.faults).toEqual({ missing: 0, duplicate: 0, wrong_key: 0, wrong_attributes: 0 })
    expect(fixture.unhealthy).toEqual({ keys: 0, systemKeys: 0 })
    const about = fixture.records.filter(({ resources }) => resources![0]!.ARN === key.arn)
    const details = { objectId: material(key), hsm: 'test' }
    expect(about).toMatchObject([
      {
        eventType: 'AwsServiceEvent',
        eventName: 'MarkKeyUnavailable',
        additionalEventData: { ...details, custodyFault: fault },
      },
      { eventType: 'AwsServiceEvent', eventName: 'MarkKeyAvailable', additionalEventData: details },
    ])
  })
})

describe('custody', () => {
  it('is checked again when the HSM has recovered, and otherwise every hour', async () => {
    const key = await fixture.key(++count)
    let starts = 1
    const hsms = withHsm({
      get health() {
        return { ...fixture.hsm.health, starts }
      },
    })
    const run = start(hsms)
    await run()
    faults.set(`expose ${material(key)}`)
    fixture.time += hour - 1
    await run()
    expect(now(key).custodyFault).toBeUndefined()
    starts++
    await run()
    expect(now(key).custodyFault).toBe('wrong_attributes')
    faults.clear()
    fixture.time += minute
    await run()
    faults.set(`expose ${material(key)}`)
    fixture.time += hour - minute
    await run()
    expect(now(key).custodyFault).toBe('wrong_attributes')
    await start()()
  })

  it('leaves most of the time to callers: a run ends after a tenth of a second, and the next continues', async () => {
    const looks: string[] = []
    const inspectKey: Hsm['inspectKey'] = async ({ object }) => {
      looks.push(object)
      fixture.time += 25
      return {}
    }
    const run = start(withHsm({ inspectKey }))
    const all = fixture.storage.keys.onHsm('test').length + systemKeyPurposes.length
    expect(all).toBeGreaterThan(8)
    for (let done = 4; done < all + 4; done += 4) {
      await run()
      expect(looks).toHaveLength(Math.min(done, all))
    }
    expect(new Set(looks).size).toBe(all)
  })

  it('is lost for all keys of an HSM that was wiped; nothing is created or destroyed', async () => {
    const before = await fixture.objects()
    const run = start()
    await run()
    faults.set('wipe', 'count C_DestroyObject', 'count C_GenerateKey*', 'count C_CreateObject')
    fixture.time += hour
    await run()
    const keys = fixture.storage.keys.onHsm('test')
    expect(new Set(keys.map(({ custodyFault }) => custodyFault))).toEqual(new Set(['missing']))
    expect(fixture.unhealthy).toEqual({ keys: keys.length + 2, systemKeys: 2 })
    for (const { rule, calls } of faults.counts()) if (rule !== 'wipe') expect(calls, rule).toBe(0)
    faults.clear()
    fixture.time += minute
    await run()
    expect(fixture.unhealthy).toEqual({ keys: 0, systemKeys: 0 })
    expect(await fixture.objects()).toEqual(before)
  })

  it.each(systemKeyPurposes)('of the %s key is reported as that of the HSM', async purpose => {
    const { id } = fixture.storage.systemKeys.find('test', purpose)!.material
    const run = start()
    await run()
    faults.set(`expose ${id}`)
    fixture.time += hour
    await run()
    expect(alarms()).toMatchObject([{ hsm: 'test', key: purpose, object: id, fault: 'wrong_attributes' }])
    // Without signatures of the audit journal, or transfers, the gateway is still ready.
    const isNeeded = encryptionPurposes.some(needed => needed === purpose)
    expect(fixture.unhealthy).toEqual(!isNeeded ? { keys: 1, systemKeys: 0 } : { keys: 0, systemKeys: 1 })
    const events = () => fixture.records.map(({ eventName, serviceEventDetails }) => [eventName, serviceEventDetails])
    const details = { hsm: 'test', purpose, objectId: id }
    const found = ['MarkSystemKeyUnavailable', { ...details, custodyFault: 'wrong_attributes' }]
    expect(events()).toEqual([found])
    faults.clear()
    fixture.time += hour
    await run()
    expect(events()).toEqual([found, ['MarkSystemKeyAvailable', details]])
  })

  it('is not lost by a single finding', async () => {
    const key = await fixture.key(++count)
    let looks = 0
    const inspectKey: Hsm['inspectKey'] = async ({ object: id }) =>
      id === material(key) && ++looks === 1 ? { fault: 'wrong_key' } : {}
    await start(withHsm({ inspectKey }))()
    expect(looks).toBe(2)
    expect(now(key).custodyFault).toBeUndefined()
    expect(alarms()).toEqual([])
  })

  it('is not judged while the HSM is unavailable, and is when it recovers', async () => {
    const key = await fixture.key(++count)
    const down = async () => Promise.reject(new Failure('KeyUnavailable'))
    const calls: Partial<Hsm> = { objects: down }
    const run = start(withHsm(calls))
    faults.set(`expose ${material(key)}`)
    await run()
    expect(now(key).custodyFault).toBeUndefined()
    delete calls.objects
    Object.assign(calls, { inspectKey: down, random: down })
    for (let i = 0; i < 5; i++) await run()
    expect(now(key).custodyFault).toBeUndefined()
    expect(fixture.logged).toEqual([])
    delete calls.inspectKey
    await run()
    expect(now(key).custodyFault).toBe('wrong_attributes')
    faults.clear()
    await start()()
  })

  it('is lost for all keys while another token answers', async () => {
    const keys = [await fixture.key(++count), await fixture.key(++count)]
    const down = async () => Promise.reject(new Failure('KeyUnavailable'))
    const calls: Partial<Mutable<Hsm>> = {}
    const run = start(withHsm(calls))
    await run()
    Object.assign(calls, { objects: down, inspectKey: down, random: down })
    calls.health = { state: 'unavailable', workers: 0, starts: 2, restarts: 0 }
    await run()
    expect(keys.map(key => now(key).custodyFault)).toEqual([undefined, undefined])
    calls.health = { state: 'untrusted', workers: 0, starts: 2, restarts: 0 }
    await run()
    expect(keys.map(key => now(key).custodyFault)).toEqual(['missing', 'missing'])
    expect(fixture.unhealthy.systemKeys).toBe(2)
    const told = alarms().length
    await run()
    expect(alarms()).toHaveLength(told)
    for (const name of Object.keys(calls)) delete calls[name as keyof Hsm]
    calls.health = { ...fixture.hsm.health, starts: fixture.hsm.health.starts + 1 }
    await run()
    expect(keys.map(key => now(key).custodyFault)).toEqual([undefined, undefined])
    expect(fixture.unhealthy).toEqual({ keys: 0, systemKeys: 0 })
  })

  it('is not lost for a fleet because the token of one gateway is another one', async () => {
    const key = await fixture.key(++count)
    const calls: Partial<Mutable<Hsm>> = {}
    const run = start(withHsm(calls))
    calls.health = { ...fixture.hsm.health, isShared: true, state: 'untrusted', workers: 0 }
    calls.random = async () => Promise.reject(new Failure('KeyUnavailable'))
    await run()
    expect(now(key).custodyFault).toBeUndefined()
    expect(alarms()).toEqual([])
  })

  it('of a key for which the HSM does not answer is deferred for an hour after two attempts', async () => {
    const key = await fixture.key(++count)
    let looks = 0
    const inspectKey: Hsm['inspectKey'] = async held => {
      if (held.object !== material(key)) return {}
      looks++
      throw new Failure('KeyUnavailable')
    }
    const run = start(withHsm({ inspectKey }))
    for (let i = 0; i < 5; i++) await run()
    expect(looks).toBe(2)
    fixture.time += hour
    await run()
    expect(looks).toBe(3)
    expect(now(key).custodyFault).toBeUndefined()
  })

  it('of a key that cannot be checked is logged once in a round, and the others are checked', async () => {
    const [key, other] = [await fixture.key(++count), await fixture.key(++count)]
    const inspectKey: Hsm['inspectKey'] = async held => {
      if (held.object === material(other)) return { fault: 'wrong_attributes' }
      throw new Failure('Internal')
    }
    await start(withHsm({ inspectKey }))()
    expect(fixture.logged.map(({ event }) => event)).toEqual(['key_check_inconclusive', 'custody_fault'])
    expect([now(key).custodyFault, now(other).custodyFault]).toEqual([undefined, 'wrong_attributes'])
    await start()()
  })

  it('is set on the current record, and retried after a concurrent change', async () => {
    const key = await fixture.key(++count)
    faults.set(`expose ${material(key)}`)
    const { outbox } = fixture.services
    let changed = false
    const record: typeof outbox.record = async (committed, event) => {
      if (!changed) {
        changed = true
        const changes = new Changes()
        changes.put('keys', { ...now(key), state: 'Disabled' })
        await fixture.storage.commit(changes)
      }
      return outbox.record(committed, event)
    }
    const run = start({ outbox: committing(record, outbox) })
    await run()
    expect(now(key)).toMatchObject({ state: 'Disabled', custodyFault: undefined })
    await run()
    expect(now(key)).toMatchObject({ state: 'Disabled', custodyFault: 'wrong_attributes' })
    expect(alarms()).toHaveLength(1)
    faults.clear()
    await start()()
    expect(now(key)).toMatchObject({ state: 'Disabled', custodyFault: undefined })
  })

  it('is lost and restored for every key with the object', async () => {
    const key = await fixture.key(++count)
    const replica = await fixture.key(count, { region: 'us-west-2', materials: key.materials })
    const run = start()
    await run()
    for (const fault of ['missing', undefined] as const) {
      if (fault) faults.set(`hide ${material(key)}`)
      else faults.clear()
      fixture.time += fault ? hour : minute
      await run()
      expect([now(key).custodyFault, now(replica).custodyFault]).toEqual([fault, fault])
      expect(fixture.faults).toMatchObject({ missing: fault ? 2 : 0, duplicate: 0 })
    }
  })

  it('of a key with several objects is lost by any of them, and a wrong key outweighs the others', async () => {
    const [first, second, other] = [await fixture.key(++count), await fixture.key(++count), await fixture.key(++count)]
    const key = await fixture.key(++count, { materials: [...first.materials, ...second.materials] })
    const hide = `hide ${material(first)}`
    const cases = [
      ['missing', hide],
      ['missing', `hide ${material(second)}`],
      ['wrong_key', hide, `swap ${material(second)} ${material(other)}`],
      ['wrong_attributes', `expose ${material(first)}`, `hide ${material(second)}`],
    ] as const
    for (const [fault, ...rules] of cases) {
      faults.set(...rules)
      await start()()
      expect(now(key).custodyFault).toBe(fault)
      faults.clear()
      await start()()
      expect(now(key).custodyFault).toBeUndefined()
    }
  })

  it('of a key with an object on another HSM is restored, though this one does not list it', async () => {
    const key = await fixture.key(++count)
    const [here] = key.materials
    const old = { ...here!, id: 'e'.repeat(64), object: { ...objectOf(here!), id: 'e'.repeat(64), hsm: 'old' } }
    const changes = new Changes()
    changes.put('keys', { ...key, materials: [old, here!] })
    await fixture.storage.commit(changes)
    const inspectKey: Hsm['inspectKey'] = async (inspected, depth) =>
      inspected.object === old.id ? {} : fixture.hsm.inspectKey(inspected, depth)
    const run = start(withHsm({ inspectKey }))
    await run()
    faults.set(`hide ${material(key)}`)
    fixture.time += hour
    await run()
    const marked = fixture.storage.keys.find(key.arn)!
    faults.clear()
    fixture.time += minute
    await run()
    const restored = now(key)
    expect([marked.custodyFault, restored.custodyFault]).toEqual(['missing', undefined])
    const removal = new Changes()
    removal.remove('keys', restored)
    await fixture.storage.commit(removal)
  })

  it('is not lost for an object that its key gives up while it is checked', async () => {
    const [expired, deleted] = [await fixture.key(++count), await fixture.key(++count)]
    const inspectKey: Hsm['inspectKey'] = async (inspected, depth) => {
      const key = [expired, deleted].find(key => material(key) === inspected.object)
      if (!key || !fixture.storage.keys.findByObject(inspected.object).length)
        return fixture.hsm.inspectKey(inspected, depth)
      const changes = new Changes()
      if (key === deleted) changes.remove('keys', now(key))
      else changes.put('keys', { ...now(key), materials: key.materials.map(({ object, ...rest }) => rest) })
      await fixture.storage.commit(changes)
      return { fault: 'missing' }
    }
    const run = start(withHsm({ inspectKey }))
    await run()
    await run()
    expect(now(expired).custodyFault).toBeUndefined()
    expect(alarms()).toEqual([])
    expect(fixture.faults).toMatchObject({ missing: 0 })
  })

  it('does not change a key while that cannot be audited', async () => {
    const key = await fixture.key(++count)
    faults.set(`expose ${material(key)}`)
    fixture.journal.failing = true
    const run = start()
    await run()
    await run()
    expect(now(key).custodyFault).toBeUndefined()
    expect(fixture.logged.map(({ event }) => event)).toEqual(['custody_fault', 'custody_check_failed'])
    fixture.journal.failing = false
    fixture.time += minute
    await run()
    expect(now(key).custodyFault).toBe('wrong_attributes')
    faults.clear()
    await start()()
  })

  it('with a wrong key prevents its deletion, as the other one would be destroyed', async () => {
    const due = await fixture.key(++count, { state: 'PendingDeletion', deletionDate: fixture.time })
    const other = await fixture.key(++count)
    faults.set(`swap ${material(due)} ${material(other)}`)
    const run = start()
    await run()
    expect(now(due)).toMatchObject({ state: 'PendingDeletion', custodyFault: 'wrong_key' })
    await deleteKeys.start(fixture.services)()
    expect(now(due)).toBeDefined()
    expect(await fixture.objects()).toEqual(expect.arrayContaining([material(due), material(other)]))
    faults.clear()
    fixture.time += minute
    await run()
    await deleteKeys.start(fixture.services)()
    await destroyObjects.start(fixture.services)()
    expect(fixture.storage.keys.find(due.arn)).toBeUndefined()
    const objects = await fixture.objects()
    expect(objects).toContain(material(other))
    expect(objects).not.toContain(material(due))
    await run()
    expect(now(other).custodyFault).toBeUndefined()
  })
})
