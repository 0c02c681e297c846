import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import { deleteKeys } from '../../src/jobs/delete-keys.ts'
import type { Key } from '../../src/model/keys/key.ts'
import type { JobServices } from '../../src/services.ts'
import { Changes } from '../../src/storage/storage.ts'
import { type House, openHouse } from './house.ts'

let house: House
let count = 0
const day = 86_400_000

beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.close())
beforeEach(() => {
  house.records.length = 0
  house.logged.length = 0
})

const material = ({ materials }: Key) => materials[0]!.id
const run = (services: Partial<JobServices> = {}) => deleteKeys.start({ ...house.services, ...services })()

/** A key whose date is so many milliseconds from now. */
function pending(inMilliseconds: number): Promise<Key> {
  return house.key(++count, { state: 'PendingDeletion', deletionDate: house.time + inMilliseconds })
}

async function cancel(key: Key): Promise<void> {
  const changes = new Changes()
  changes.put('keys', { ...house.storage.keys.find(key.arn)!, state: 'Disabled', deletionDate: undefined })
  await house.storage.commit(changes)
}

/** The same HSM, whose objects cannot be destroyed. */
function withoutDestruction(): Pick<JobServices, 'hsms'> {
  const hsm = Object.create(house.hsm, {
    name: { value: house.hsm.name },
    destroyKey: { value: async () => Promise.reject(new Failure('KeyUnavailable')) },
  })
  return { hsms: { ...house.services.hsms, named: () => hsm } }
}

describe('a key whose date has come', () => {
  it('is forgotten with its aliases, destroyed on the token, and both are on record', async () => {
    const key = await pending(0)
    const aliases = [await house.alias('one', key), await house.alias('two', key)]
    await run()
    expect(house.storage.keys.find(key.arn)).toBeUndefined()
    expect(house.storage.keys.findByMaterial(material(key), key.region)).toBeUndefined()
    for (const { arn } of aliases) expect(house.storage.aliases.find(arn)).toBeUndefined()
    expect(await house.objects()).not.toContain(material(key))
    expect(house.storage.destructions.list()).toEqual([])
    expect(house.records).toMatchObject([
      {
        eventType: 'AwsServiceEvent',
        eventName: 'DeleteKey',
        resources: [{ ARN: key.arn }],
        additionalEventData: { keyMaterialIds: [material(key)] },
      },
      { eventName: 'DestroyKeyMaterial', resources: [{ ARN: key.arn }] },
    ])
  })

  it('stays when the clock is set to its date, for as long as that may be a mistake, and goes when it is not', async () => {
    const key = await pending(30 * day)
    await run()
    house.ahead = 30 * day
    for (let minutes = 0; minutes < 5; minutes++) {
      await run()
      house.time += 60_000
    }
    expect(house.storage.keys.find(key.arn)).toBeDefined()
    expect(await house.objects()).toContain(material(key))
    house.ahead = 0
    await run()
    for (let hours = 0; hours < 24; hours++) {
      house.time += 3_600_000
      await run()
    }
    expect(house.storage.keys.find(key.arn)).toBeDefined()
    for (let days = 0; days < 30; days++) {
      house.time += day
      await run()
    }
    expect(house.storage.keys.find(key.arn)).toBeUndefined()
  })

  it('is the only kind that is deleted', async () => {
    const kept = [await pending(1), await house.key(++count), await house.key(++count, { state: 'Disabled' })]
    const cancelled = await pending(0)
    await cancel(cancelled)
    await run()
    for (const key of [...kept, cancelled]) {
      expect(house.storage.keys.find(key.arn)).toBeDefined()
      expect(await house.objects()).toContain(material(key))
    }
    expect(house.records).toEqual([])
  })

  it('stays when its deletion is cancelled at the last moment, and the others are deleted all the same', async () => {
    const [saved, deleted] = [await pending(0), await pending(0)]
    const { outbox } = house.services
    const record: typeof outbox.record = async (changes, event) => {
      if (event.resources?.[0]?.ARN === saved.arn) await cancel(saved)
      return outbox.record(changes, event)
    }
    await run({ outbox: { record, settle: () => outbox.settle() } })
    expect(house.storage.keys.find(saved.arn)).toMatchObject({ state: 'Disabled' })
    expect(house.storage.keys.find(deleted.arn)).toBeUndefined()
    const objects = await house.objects()
    expect(objects).toContain(material(saved))
    expect(objects).not.toContain(material(deleted))
    expect(house.logged).toContainEqual(expect.objectContaining({ event: 'key_deletion_failed' }))
    expect(house.records.filter(({ resources }) => resources?.[0]?.ARN === saved.arn)).toEqual([])
  })

  it('stays as long as that cannot be put on record', async () => {
    const key = await pending(0)
    house.journal.failing = true
    await run()
    expect(house.storage.keys.find(key.arn)).toBeDefined()
    expect(await house.objects()).toContain(material(key))
    house.journal.failing = false
    await run()
    expect(house.storage.keys.find(key.arn)).toBeUndefined()
  })
})

describe('the destruction of an object', () => {
  it('that a crash or the HSM prevented is done by a later run', async () => {
    const key = await pending(0)
    await run(withoutDestruction())
    expect(house.storage.keys.find(key.arn)).toBeUndefined()
    expect(await house.objects()).toContain(material(key))
    expect(house.storage.destructions.list()).toMatchObject([{ material: material(key), keyArn: key.arn }])
    expect(house.logged).toContainEqual(expect.objectContaining({ event: 'key_destruction_failed' }))
    await run()
    expect(await house.objects()).not.toContain(material(key))
    expect(house.storage.destructions.list()).toEqual([])
  })

  it('that was done just before a crash is a success', async () => {
    const key = await pending(0)
    await run(withoutDestruction())
    await house.hsm.destroyKey(material(key))
    await run()
    expect(house.storage.destructions.list()).toEqual([])
  })

  it('that cannot be put on record is done again by a later run, and the others go on', async () => {
    const [unrecorded, other] = [await pending(0), await pending(0)]
    const { outbox } = house.services
    const record: typeof outbox.record = async (changes, event) => {
      const isRefused = event.eventName === 'DestroyKeyMaterial' && event.resources?.[0]?.ARN === unrecorded.arn
      if (isRefused) throw new Failure('Internal')
      return outbox.record(changes, event)
    }
    await run({ outbox: { record, settle: () => outbox.settle() } })
    expect(house.storage.destructions.list()).toMatchObject([{ material: material(unrecorded) }])
    expect(await house.objects()).not.toContain(material(other))
    await run()
    expect(house.storage.destructions.list()).toEqual([])
    expect(house.records.filter(({ eventName }) => eventName === 'DestroyKeyMaterial')).toHaveLength(2)
  })

  it('waits while its HSM is not configured, and the others go on', async () => {
    const elsewhere = await pending(0)
    const changes = new Changes()
    changes.put('keys', { ...elsewhere, materials: [{ ...elsewhere.materials[0]!, hsm: 'unplugged' }] })
    await house.storage.commit(changes)
    const here = await pending(0)
    await run()
    expect(house.storage.destructions.list()).toMatchObject([{ hsm: 'unplugged' }])
    expect(await house.objects()).not.toContain(material(here))
  })
})
