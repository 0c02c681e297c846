import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import { deleteExpiredKeyMaterial } from '../../src/jobs/delete-expired-key-material.ts'
import { deleteKeys } from '../../src/jobs/delete-keys.ts'
import { destroyObjects } from '../../src/jobs/destroy-objects.ts'
import { type Key, type KeyMaterial, objectOf } from '../../src/model/keys/key.ts'
import { keyState } from '../../src/model/keys/key-state.ts'
import type { JobServices } from '../../src/services.ts'
import { Changes, Conflict } from '../../src/storage/storage.ts'
import { emptyAccount } from '../../src/vault/empty-account.ts'
import { createMaterial } from '../../src/vault/materials.ts'
import { aGrant, aKey, aWrappingKey } from '../storage/records.ts'
import { committing, type Fixture, openFixture } from './fixture.ts'

let fixture: Fixture
let count = 0
const day = 86_400_000

beforeAll(async () => {
  fixture = await openFixture()
})
afterAll(() => fixture?.close())
beforeEach(() => {
  fixture.records.length = 0
  fixture.logged.length = 0
})

const material = ({ materials }: Key) => materials[0]!.id
const unplugged = (one: KeyMaterial) => ({ ...one, object: { ...objectOf(one), hsm: 'unplugged' } })

/** The keys whose date has come are deleted, then the objects destroyed. */
async function run(services: Partial<JobServices> = {}): Promise<void> {
  await deleteKeys.start({ ...fixture.services, ...services })()
  await destroyObjects.start({ ...fixture.services, ...services })()
}

/** A key whose date is so many milliseconds from now. */
function pending(inMilliseconds: number): Promise<Key> {
  return fixture.key(++count, { state: 'PendingDeletion', deletionDate: fixture.time + inMilliseconds })
}

async function cancel(key: Key): Promise<void> {
  const changes = new Changes()
  changes.put('keys', { ...fixture.storage.keys.find(key.arn)!, state: 'Disabled', deletionDate: undefined })
  await fixture.storage.commit(changes)
}

/** The same HSM, whose objects cannot be destroyed. */
function withoutDestruction(): Pick<JobServices, 'hsms'> {
  const hsm = Object.create(fixture.hsm, {
    name: { value: fixture.hsm.name },
    destroyKey: { value: async () => Promise.reject(new Failure('KeyUnavailable')) },
  })
  return { hsms: { ...fixture.services.hsms, named: () => hsm } }
}

describe('a key whose date has come', () => {
  it('is removed with its aliases and grants and destroyed on the token, and both are audited', async () => {
    const key = await pending(0)
    const grants = new Changes()
    for (const number of [1, 2]) grants.put('grants', aGrant(number, key))
    await fixture.storage.commit(grants)
    const aliases = [await fixture.alias('one', key), await fixture.alias('two', key)]
    await run()
    expect(fixture.storage.keys.find(key.arn)).toBeUndefined()
    expect(fixture.storage.keys.findByMaterial(material(key), key.region)).toBeUndefined()
    for (const { arn } of aliases) expect(fixture.storage.aliases.find(arn)).toBeUndefined()
    expect(fixture.storage.grants.count(key.arn)).toBe(0)
    expect(await fixture.storage.grants.list({ keyArn: key.arn, limit: 10 })).toEqual([])
    expect(await fixture.objects()).not.toContain(material(key))
    expect(fixture.storage.destructions.list()).toEqual([])
    expect(fixture.records).toMatchObject([
      {
        eventType: 'AwsServiceEvent',
        eventName: 'DeleteKey',
        resources: [{ ARN: key.arn }],
        additionalEventData: {
          keyMaterialIds: [material(key)],
          backingKeysDeletionStatus: JSON.stringify([{ backingKeyId: material(key), deletionStatus: 'PENDING' }]),
          strongroom: {
            keySpec: 'SYMMETRIC_DEFAULT',
            creationDate: new Date(key.creationDate).toISOString(),
            rotationDates: [],
          },
        },
      },
      {
        eventName: 'DestroyKeyMaterial',
        resources: [{ ARN: key.arn }],
        additionalEventData: {
          objectId: material(key),
          hsm: fixture.hsm.name,
          backingKeysDeletionStatus: JSON.stringify([{ backingKeyId: material(key), deletionStatus: 'SUCCESS' }]),
        },
      },
    ])
  })

  it('is kept when the clock is set to its date, until the clock is stable', async () => {
    const key = await pending(30 * day)
    await run()
    fixture.ahead = 30 * day
    for (let minutes = 0; minutes < 5; minutes++) {
      await run()
      fixture.time += 60_000
    }
    expect(fixture.storage.keys.find(key.arn)).toBeDefined()
    expect(await fixture.objects()).toContain(material(key))
    fixture.ahead = 0
    await run()
    for (let hours = 0; hours < 24; hours++) {
      fixture.time += 3_600_000
      await run()
    }
    expect(fixture.storage.keys.find(key.arn)).toBeDefined()
    for (let days = 0; days < 30; days++) {
      fixture.time += day
      await run()
    }
    expect(fixture.storage.keys.find(key.arn)).toBeUndefined()
  })

  it('is the only kind that is deleted', async () => {
    const kept = [await pending(1), await fixture.key(++count), await fixture.key(++count, { state: 'Disabled' })]
    const cancelled = await pending(0)
    await cancel(cancelled)
    await run()
    for (const key of [...kept, cancelled]) {
      expect(fixture.storage.keys.find(key.arn)).toBeDefined()
      expect(await fixture.objects()).toContain(material(key))
    }
    expect(fixture.records).toEqual([])
  })

  it('is kept if its deletion is cancelled at the last moment, and the others are deleted', async () => {
    const [saved, deleted] = [await pending(0), await pending(0)]
    const { outbox } = fixture.services
    const record: typeof outbox.record = async (changes, event) => {
      if (event.resources?.[0]?.ARN === saved.arn) await cancel(saved)
      return outbox.record(changes, event)
    }
    await run({ outbox: committing(record, outbox) })
    expect(fixture.storage.keys.find(saved.arn)).toMatchObject({ state: 'Disabled' })
    expect(fixture.storage.keys.find(deleted.arn)).toBeUndefined()
    const objects = await fixture.objects()
    expect(objects).toContain(material(saved))
    expect(objects).not.toContain(material(deleted))
    expect(fixture.logged).toContainEqual(expect.objectContaining({ event: 'key_deletion_failed' }))
    expect(fixture.records.filter(({ resources }) => resources?.[0]?.ARN === saved.arn)).toEqual([])
  })

  it('is kept while its deletion cannot be audited', async () => {
    const key = await pending(0)
    fixture.journal.failing = true
    await run()
    expect(fixture.storage.keys.find(key.arn)).toBeDefined()
    expect(await fixture.objects()).toContain(material(key))
    fixture.journal.failing = false
    await run()
    expect(fixture.storage.keys.find(key.arn)).toBeUndefined()
  })
})

describe('the destruction of an object', () => {
  it('that a crash or the HSM prevented is retried by a later run', async () => {
    const key = await pending(0)
    await run(withoutDestruction())
    expect(fixture.storage.keys.find(key.arn)).toBeUndefined()
    expect(await fixture.objects()).toContain(material(key))
    expect(fixture.storage.destructions.list()).toMatchObject([{ object: material(key), keyArn: key.arn }])
    expect(fixture.logged).toContainEqual(expect.objectContaining({ event: 'key_destruction_failed' }))
    await run()
    expect(await fixture.objects()).not.toContain(material(key))
    expect(fixture.storage.destructions.list()).toEqual([])
  })

  it('that was done just before a crash is a success', async () => {
    const key = await pending(0)
    await run(withoutDestruction())
    await fixture.hsm.destroyKey(material(key))
    await run()
    expect(fixture.storage.destructions.list()).toEqual([])
  })

  it('that cannot be audited is retried by a later run, and the others continue', async () => {
    const [unrecorded, other] = [await pending(0), await pending(0)]
    const { outbox } = fixture.services
    const record: typeof outbox.record = async (changes, event) => {
      const isRefused = event.eventName === 'DestroyKeyMaterial' && event.resources?.[0]?.ARN === unrecorded.arn
      if (isRefused) throw new Failure('Internal')
      return outbox.record(changes, event)
    }
    await run({ outbox: committing(record, outbox) })
    expect(fixture.storage.destructions.list()).toMatchObject([{ object: material(unrecorded) }])
    expect(await fixture.objects()).not.toContain(material(other))
    await run()
    expect(fixture.storage.destructions.list()).toEqual([])
    const destroyed = fixture.records.filter(({ eventName }) => eventName === 'DestroyKeyMaterial')
    expect(destroyed.map(({ errorCode }) => errorCode).sort()).toEqual(['Internal', undefined, undefined])
  })

  it('waits while its HSM is not configured, and the others continue', async () => {
    const elsewhere = await pending(0)
    const changes = new Changes()
    changes.put('keys', { ...elsewhere, materials: [unplugged(elsewhere.materials[0]!)] })
    await fixture.storage.commit(changes)
    const here = await pending(0)
    await run()
    expect(fixture.storage.destructions.list()).toMatchObject([{ hsm: 'unplugged' }])
    expect(await fixture.objects()).not.toContain(material(here))
  })
})

describe('a key of imported material', () => {
  const imported = async (validTo?: number) => ({
    ...(await createMaterial(fixture.hsm, aKey(0), 'imported', fixture.time)),
    imported: { validTo },
  })
  const expire = () => deleteExpiredKeyMaterial.start(fixture.services)()

  it('that is pending deletion loses what expires, and on its date everything else, each object once', async () => {
    const [old, current, next] = [await imported(fixture.time + day), await imported(), await imported()]
    const key = await fixture.key(++count, {
      origin: 'EXTERNAL',
      materials: [old, current],
      pendingMaterial: next,
      state: 'PendingDeletion',
      deletionDate: fixture.time + 7 * day,
    })
    const wrapping = objectOf(await imported())
    const changes = new Changes()
    changes.put('wrappingKeys', { ...aWrappingKey(count, key), object: { ...wrapping, publicKey: Uint8Array.of(1) } })
    await fixture.storage.commit(changes)
    await fixture.alias('imported', key)
    const destroyed = () =>
      fixture.records
        .filter(({ eventName, resources }) => eventName === 'DestroyKeyMaterial' && resources?.[0]?.ARN === key.arn)
        .map(({ additionalEventData }) => additionalEventData!.objectId)

    await expire()
    expect(fixture.storage.destructions.find('test', old.id)).toBeUndefined()
    fixture.time += day
    await expire()
    await run()
    expect(destroyed()).toEqual([old.id])
    const left = fixture.storage.keys.find(key.arn)!
    expect(left).toMatchObject({ state: 'PendingDeletion', deletionDate: key.deletionDate })
    expect(keyState(left)).toBe('PendingDeletion')

    for (let days = 0; days < 6; days++) {
      expect(fixture.storage.keys.find(key.arn)).toBeDefined()
      fixture.time += day
      await expire()
      await run()
    }
    expect(fixture.storage.keys.find(key.arn)).toBeUndefined()
    expect(fixture.storage.wrappingKeys.ofKey(key.arn)).toEqual([])
    expect(destroyed().sort()).toEqual([old, current, next, wrapping].map(({ id }) => id).sort())
    expect(await fixture.objects()).not.toContain(current.id)
    const deletion = fixture.records.find(
      ({ eventName, resources }) => eventName === 'DeleteKey' && resources![0]!.ARN === key.arn,
    )
    expect(deletion!.additionalEventData!.keyMaterialIds).toEqual([old, current, next].map(({ id }) => id))
  })

  it('keeps on the token what expires while one of its objects is another key', async () => {
    const material = await imported(fixture.time)
    const key = await fixture.key(++count, { origin: 'EXTERNAL', materials: [material], custodyFault: 'wrong_key' })
    await expire()
    await run()
    expect(fixture.storage.keys.find(key.arn)!.materials[0]!.object).toBeUndefined()
    expect(await fixture.objects()).toContain(material.id)
  })
})

describe('an object of several keys', () => {
  /** Two keys with one object, as a multi-Region key and its replica on the same HSM have. */
  async function sharing(changes: Partial<Key> = {}): Promise<readonly [Key, Key]> {
    const due = { state: 'PendingDeletion', deletionDate: fixture.time, ...changes } as const
    const key = await fixture.key(++count, due)
    return [key, await fixture.key(count, { ...due, region: 'us-west-2', materials: key.materials })]
  }
  const names = () =>
    fixture.records
      .map(({ eventName, resources }) => `${eventName} ${resources![0]!.ARN}`)
      .filter(name => name.endsWith(aKey(count).id))

  async function postpone(key: Key): Promise<void> {
    const changes = new Changes()
    changes.put('keys', { ...fixture.storage.keys.find(key.arn)!, deletionDate: fixture.time + day })
    await fixture.storage.commit(changes)
  }

  it.each([
    ['first', 0, 1],
    ['second', 1, 0],
  ] as const)(
    'is kept until the last of them is deleted, if the %s one is deleted first',
    async (_name, first, last) => {
      const keys = await sharing()
      await postpone(keys[last])
      await run()
      expect(fixture.storage.keys.find(keys[first].arn)).toBeUndefined()
      expect(await fixture.objects()).toContain(material(keys[0]))
      expect(fixture.storage.destructions.find(fixture.hsm.name, material(keys[0]))).toBeUndefined()
      expect(names()).toEqual([`DeleteKey ${keys[first].arn}`, `KeepKeyMaterial ${keys[first].arn}`])
      expect(fixture.records[1]!.additionalEventData).toMatchObject({ keyArns: [keys[last].arn] })
      fixture.time += day
      await run()
      expect(await fixture.objects()).not.toContain(material(keys[0]))
      expect(names().slice(2)).toEqual([`DeleteKey ${keys[last].arn}`, `DestroyKeyMaterial ${keys[last].arn}`])
    },
  )

  it('is kept as long as a key has it on an HSM of another name, and destroyed afterwards', async () => {
    const [key] = await sharing()
    const other = aKey(count, { region: 'us-west-2' })
    const elsewhere = key.materials.map(material => ({ ...material, object: { ...objectOf(material), hsm: 'other' } }))
    const changes = new Changes()
    changes.put('keys', {
      ...fixture.storage.keys.find(other.arn)!,
      deletionDate: undefined,
      state: 'Enabled',
      materials: elsewhere,
    })
    await fixture.storage.commit(changes)
    for (let times = 0; times < 2; times++) await run()
    expect(names()).toEqual([`DeleteKey ${key.arn}`])
    expect(await fixture.objects()).toContain(material(key))
    const removal = new Changes()
    removal.remove('keys', fixture.storage.keys.find(other.arn)!)
    await fixture.storage.commit(removal)
    await run()
    expect(names().slice(1)).toEqual([`DestroyKeyMaterial ${key.arn}`])
    expect(await fixture.objects()).not.toContain(material(key))
  })

  it('is destroyed once if all of them are deleted before the HSM is available again', async () => {
    const [key, replica] = await sharing()
    await postpone(replica)
    await run(withoutDestruction())
    fixture.time += day
    await run(withoutDestruction())
    expect(fixture.storage.keys.find(replica.arn)).toBeUndefined()
    expect(await fixture.objects()).toContain(material(key))
    await run()
    expect(await fixture.objects()).not.toContain(material(key))
    expect(names().filter(name => name.startsWith('DestroyKeyMaterial'))).toHaveLength(1)
  })

  it('is destroyed once if all of them are removed in one commit', async () => {
    const [key] = await sharing({ account: '444455556666', state: 'Enabled', deletionDate: undefined })
    expect(await emptyAccount('444455556666', fixture.services)).toBe(2)
    await run()
    expect(await fixture.objects()).not.toContain(material(key))
    expect(fixture.records.map(({ eventName }) => eventName)).toEqual(['EmptyAccount', 'DestroyKeyMaterial'])
  })

  it('is destroyed if the last of them is deleted while the job looks at the mark of another', async () => {
    const [key, replica] = await sharing()
    await postpone(replica)
    await deleteKeys.start(fixture.services)()
    const { outbox } = fixture.services
    const record: typeof outbox.record = async (changes, event) => {
      fixture.time += event.eventName === 'KeepKeyMaterial' ? day : 0
      if (event.eventName === 'KeepKeyMaterial') await deleteKeys.start(fixture.services)()
      return outbox.record(changes, event)
    }
    await destroyObjects.start({
      ...fixture.services,
      outbox: committing(record, outbox),
    })()
    expect(fixture.storage.keys.find(replica.arn)).toBeUndefined()
    expect(await fixture.objects()).toContain(material(key))
    await run()
    expect(await fixture.objects()).not.toContain(material(key))
  })
})

describe('a multi-Region key', () => {
  const id = 'mrk-1234abcd12ab34cd56ef1234567890ab'
  const due = () => ({ state: 'PendingDeletion', deletionDate: fixture.time }) as const

  it('that waits for its replicas gets a date with the last of them, and is deleted then', async () => {
    const waiting = { state: 'PendingReplicaDeletion', pendingWindowInDays: 9, multiRegion: 'PRIMARY' } as const
    const primary = await fixture.key(++count, { id, ...waiting })
    const { materials } = primary
    const replicas = ['us-east-1', 'us-west-2', 'eu-west-1'].map(
      region => ({ id, region, materials, multiRegion: 'REPLICA' }) as const,
    )
    for (const replica of replicas.slice(0, 2)) await fixture.key(count, { ...replica, ...due() })
    const last = await fixture.key(count, replicas[2])
    await run()
    expect(fixture.storage.keys.related(primary).map(({ region }) => region)).toEqual(['eu-west-1'])
    expect(fixture.storage.keys.find(primary.arn)).toMatchObject(waiting)
    const changes = new Changes()
    changes.put('keys', { ...fixture.storage.keys.find(last.arn)!, ...due() })
    await fixture.storage.commit(changes)
    await run()
    const deletionDate = fixture.time + 9 * day
    const dated = { state: 'PendingDeletion', deletionDate, pendingWindowInDays: undefined } as const
    expect(fixture.storage.keys.find(primary.arn)).toMatchObject(dated)
    expect(
      fixture.records.filter(({ eventName }) => eventName === 'DeleteKey').at(-1)!.additionalEventData,
    ).toMatchObject({
      strongroom: { primaryKey: { arn: primary.arn, deletionDate: new Date(deletionDate) } },
    })
    expect(await fixture.objects()).toContain(material(primary))
    fixture.time = deletionDate
    await run()
    expect(fixture.storage.keys.find(primary.arn)).toBeUndefined()
    expect(await fixture.objects()).not.toContain(material(primary))
  })

  it('is not left waiting if its deletion is scheduled while the last replica is being deleted', async () => {
    const primary = await fixture.key(++count, { id, multiRegion: 'PRIMARY' })
    const read = fixture.storage.keys.find(primary.arn)!
    await fixture.key(count, {
      id,
      region: 'us-east-1',
      materials: primary.materials,
      multiRegion: 'REPLICA',
      ...due(),
    })
    await run()
    const scheduled = new Changes()
    scheduled.put('keys', { ...read, state: 'PendingReplicaDeletion', pendingWindowInDays: 7 })
    await expect(fixture.storage.commit(scheduled)).rejects.toThrow(Conflict)
  })
})
