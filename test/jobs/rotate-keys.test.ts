import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import { rotateKeys } from '../../src/jobs/rotate-keys.ts'
import { sweepOrphans } from '../../src/jobs/sweep-orphans.ts'
import type { Key } from '../../src/model/keys/key.ts'
import { currentMaterial } from '../../src/model/keys/key.ts'
import { rotationFrom } from '../../src/model/keys/rotation.ts'
import type { Hsm, Hsms, JobServices } from '../../src/services.ts'
import { Changes, Conflict } from '../../src/storage/storage.ts'
import { decryptBlob, encryptBlob } from '../../src/vault/ciphertexts.ts'
import { rotateAutomatically } from '../../src/vault/rotation.ts'
import { committing, type Fixture, openFixture } from './fixture.ts'

let fixture: Fixture
let count = 0
const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]

beforeAll(async () => {
  fixture = await openFixture()
})
afterAll(() => fixture?.close())
beforeEach(async () => {
  fixture.ahead = 0
  // Keys of other tests are not due.
  for (const key of fixture.storage.keys.dueForRotation(Number.POSITIVE_INFINITY))
    await change(key, { automaticRotation: undefined })
  fixture.records.length = 0
  fixture.logged.length = 0
})

async function change(key: Key, changes: Partial<Key>): Promise<Key> {
  const committed = new Changes()
  committed.put('keys', { ...stored(key), ...changes })
  await fixture.storage.commit(committed)
  return stored(key)
}

const stored = (key: Key) => fixture.storage.keys.find(key.arn)!
/** How often a key was rotated. */
const rotations = (key: Key) => stored(key).materials.length - 1
const start = (services: Partial<JobServices> = {}) => rotateKeys.start({ ...fixture.services, ...services })

/** A key that is to be rotated so many milliseconds from now. */
async function due(inMilliseconds: number, changes: Partial<Key> = {}): Promise<Key> {
  const key = await fixture.key(++count)
  const automaticRotation = { periodInDays: 90, nextDate: fixture.time + inMilliseconds }
  return change(key, { automaticRotation, ...changes })
}

/** Time passes, while the job runs whenever it is due. */
async function pass(run: () => Promise<void>, milliseconds: number, step = minute): Promise<void> {
  for (const end = fixture.time + milliseconds; fixture.time < end; ) {
    fixture.time += step
    await run()
  }
}

/** The same HSM, while it cannot be reached. */
function withOutage(isAway: () => boolean): Pick<JobServices, 'hsms'> {
  const { hsm, services } = fixture
  const reached = <T>(call: () => Promise<T>) => (isAway() ? Promise.reject(new Failure('KeyUnavailable')) : call())
  const unreliable: Partial<Hsm> = {
    name: hsm.name,
    whyUnsupported: ability => hsm.whyUnsupported(ability),
    random: length => reached(() => hsm.random(length)),
    generateKey: (...key) => reached(() => hsm.generateKey(...key)),
  }
  const hsms = { ...services.hsms, named: () => unreliable as Hsm, for: () => hsms } as Hsms
  return { hsms }
}

/** The same outbox, with something done before each commit. */
function withCommit(before: (arn: string | undefined) => Promise<unknown>): Pick<JobServices, 'outbox'> {
  const { outbox } = fixture.services
  const record: typeof outbox.record = async (changes, event) => {
    await before(event.resources?.[0]?.ARN)
    return outbox.record(changes, event)
  }
  return { outbox: committing(record, outbox) }
}

describe('a key whose rotation is due', () => {
  it('gets new material on its HSM in one commit with its audit record, and earlier ciphertexts decrypt', async () => {
    const key = await due(0)
    const [before, plaintext] = [currentMaterial(key), Buffer.from('a plaintext')]
    const blob = await encryptBlob(fixture, before, plaintext)
    await start()()
    const after = stored(key)
    const [first, current] = after.materials
    expect(after).toEqual({
      ...key,
      materials: [before, current],
      automaticRotation: { periodInDays: 90, nextDate: fixture.time + 90 * day },
      revision: key.revision + 1,
    })
    expect(current).toMatchObject({ createdAt: fixture.time, rotation: { type: 'AUTOMATIC', date: fixture.time } })
    expect(await fixture.objects()).toEqual(expect.arrayContaining([first!.object!.id, current!.object!.id]))
    expect(Buffer.from(await decryptBlob(fixture.hsms, first!, blob))).toEqual(plaintext)
    const again = await encryptBlob(fixture, currentMaterial(after), plaintext)
    expect(Buffer.from(await decryptBlob(fixture.hsms, current!, again))).toEqual(plaintext)
    await expect(decryptBlob(fixture.hsms, current!, blob)).rejects.toMatchObject({ code: 'InvalidCiphertext' })
    expect(fixture.storage.keys.findByMaterial(current!.id, key.region)?.arn).toBe(key.arn)
    expect(fixture.records).toMatchObject([
      {
        eventType: 'AwsServiceEvent',
        eventName: 'RotateKey',
        awsRegion: key.region,
        resources: [{ ARN: key.arn }],
        serviceEventDetails: {
          keyId: key.id,
          rotationType: 'AUTOMATIC',
          keyOrigin: 'AWS_KMS',
          previousKeyMaterialId: first!.id,
          currentKeyMaterialId: current!.id,
        },
      },
    ])
    expect(fixture.records[0]).not.toHaveProperty('additionalEventData')
  })

  it('is rotated once in each period, on its date', async () => {
    const key = await change(await fixture.key(++count), { automaticRotation: rotationFrom(fixture.time, 90) })
    const begin = fixture.time
    await pass(start(), 365 * day, hour)
    const dates = stored(key).materials.flatMap(({ rotation }) => rotation?.date ?? [])
    expect(dates.map(date => (date - begin) / day)).toEqual([90, 180, 270, 360])
  })

  it('is the only kind that is rotated', async () => {
    const kept = [
      await due(1),
      await due(0, { state: 'Disabled' }),
      await due(0, { state: 'PendingDeletion', deletionDate: fixture.time + day }),
      await due(0, { custodyFault: 'missing' }),
      await due(0, { automaticRotation: undefined }),
    ]
    await start()()
    expect(kept.map(rotations)).toEqual([0, 0, 0, 0, 0])
    expect(fixture.records).toEqual([])
  })

  it('is rotated within a minute after it is enabled again, once, and next a whole period later', async () => {
    const key = await due(0, { state: 'Disabled' })
    const run = start()
    await pass(run, 800 * day, day)
    expect(rotations(key)).toBe(0)
    await change(key, { state: 'Enabled' })
    await pass(run, 2 * minute)
    expect(rotations(key)).toBe(1)
    await pass(run, 89 * day, day)
    expect(rotations(key)).toBe(1)
    await pass(run, 2 * day, day)
    expect(rotations(key)).toBe(2)
  })

  it('waits while the clock is not trusted', async () => {
    const key = await due(30 * day)
    const run = start()
    await run()
    fixture.ahead = 30 * day
    await pass(run, 5 * minute)
    expect(rotations(key)).toBe(0)
    fixture.ahead = 0
    await pass(run, 31 * day, hour)
    expect(rotations(key)).toBe(1)
  })

  it('comes after those of earlier days, and all are counted', async () => {
    const keys = [await due(-day), await due(-3 * day), await due(-2 * day)]
    await start()()
    expect(fixture.dueForRotation).toBe(3)
    expect(fixture.records.map(({ resources }) => resources![0]!.ARN)).toEqual([1, 2, 0].map(index => keys[index]!.arn))
  })
})

describe('a rotation', () => {
  it('of a key that is changed meanwhile is done again, and leaves no object', async () => {
    const key = await due(0)
    const before = await fixture.objects()
    let times = 0
    const changed = withCommit(async () => times++ < 3 && change(key, { description: `changed ${times}` }))
    await start(changed)()
    expect(stored(key)).toMatchObject({ description: 'changed 3' })
    expect(rotations(key)).toBe(1)
    expect(new Set(await fixture.objects())).toEqual(new Set([...before, currentMaterial(stored(key)).id]))
    const outcomes = fixture.records.filter(({ eventName }) => eventName === 'RotateKey')
    expect(outcomes.map(({ errorCode }) => errorCode)).toEqual(['Conflict', 'Conflict', 'Conflict', undefined])
    expect(fixture.logged).toEqual([])
  })

  it.each<[string, Partial<Key>]>([
    ['disabled', { state: 'Disabled' }],
    ['scheduled for deletion', { state: 'PendingDeletion', deletionDate: 2_000_000_000_000 }],
    ['no longer rotated', { automaticRotation: undefined }],
  ])('of a key that is %s meanwhile is not done, and leaves no object', async (_, changes) => {
    const key = await due(0)
    const before = await fixture.objects()
    await start(withCommit(() => change(key, changes)))()
    expect(rotations(key)).toBe(0)
    expect(await fixture.objects()).toEqual(before)
    expect(fixture.records).toMatchObject([{ eventName: 'RotateKey', errorCode: 'Conflict' }])
  })

  it('that fails is logged and tried again, less and less often, and does not stop others', async () => {
    const [broken, other] = [await due(-1), await due(0)]
    let attempts = 0
    const run = start(
      withCommit(async arn => {
        if (arn !== broken.arn) return
        attempts++
        throw new Failure('Internal')
      }),
    )
    await run()
    expect([rotations(broken), rotations(other)]).toEqual([0, 1])
    await pass(run, 3 * hour)
    // After 1, 2, 4, 8, 16, 32 minutes, then each hour.
    expect(attempts).toBe(1 + 6 + 1)
    expect(fixture.logged.filter(({ event }) => event === 'key_rotation_failed')).toHaveLength(attempts)
    expect(fixture.logged[0]).toMatchObject({ key: broken.arn })
    expect(fixture.dueForRotation).toBe(1)
    expect(rotations(broken)).toBe(0)
  })

  it('on an HSM that is unavailable is logged once a minute, not for each key', async () => {
    const keys = [await due(-2), await due(-1), await due(0)]
    let isAway = true
    const run = start(withOutage(() => isAway))
    await run()
    await run()
    expect(fixture.logged).toHaveLength(1)
    await pass(run, minute)
    expect(fixture.logged).toHaveLength(2)
    isAway = false
    await pass(run, 10 * minute)
    expect(keys.map(rotations)).toEqual([1, 1, 1])
  })

  it('that cannot be audited makes no object, and is tried again', async () => {
    const keys = [await due(-1), await due(0)]
    const before = await fixture.objects()
    const run = start()
    fixture.journal.failing = true
    await expect(run()).rejects.toThrow()
    await run()
    expect(await fixture.objects()).toEqual(before)
    expect(fixture.logged).toHaveLength(1)
    fixture.journal.failing = false
    await pass(run, 3 * minute)
    expect(keys.map(rotations)).toEqual([1, 1])
  })

  it('that is cut off before its commit leaves the key as it was, and an object that is reported', async () => {
    const key = await due(0)
    const sweep = sweepOrphans.start(fixture.services)
    await pass(sweep, 10 * minute)
    const before = fixture.orphans.get(fixture.hsm.name)!
    await start(withCommit(() => Promise.reject(new Failure('Internal', 'as if the process were killed'))))()
    expect(stored(key)).toEqual(key)
    await pass(sweep, 10 * minute)
    expect(fixture.orphans.get(fixture.hsm.name)).toBe(before + 1)
    await start()()
    expect(rotations(key)).toBe(1)
  })
})

describe('a rotation that is asked for before its date', () => {
  it('leaves the date, and conflicts with other changes without an object left behind', async () => {
    const key = await due(10 * day)
    await rotateAutomatically(key, fixture.time, fixture.services)
    expect(rotations(key)).toBe(1)
    expect(stored(key).automaticRotation).toEqual(key.automaticRotation)
    const before = await fixture.objects()
    await expect(rotateAutomatically(key, fixture.time, fixture.services)).rejects.toThrow(Conflict)
    expect(await fixture.objects()).toEqual(before)
    expect(rotations(key)).toBe(1)
  })
})

describe('many rotations', () => {
  const [share, took] = [0.01, 20]

  /** Runs the job for some time of the clock, of which each rotation takes a part. */
  async function rotateFor(milliseconds: number, services: Partial<JobServices>): Promise<number[]> {
    const keys = [await due(0), await due(0), await due(0), await due(0)]
    const dates: number[] = []
    const commits = withCommit(async () => {
      fixture.time += took
      dates.push(fixture.time)
    })
    const run = start({ ...commits, ...services })
    await run()
    await pass(run, milliseconds, 100)
    expect(keys.map(rotations)).toEqual([1, 1, 1, 1])
    return dates.map((date, index) => date - (dates[index - 1] ?? date))
  }

  it('take a small part of the time', async () => {
    for (const rest of (await rotateFor(10_000, {})).slice(1)) expect(rest).toBeGreaterThanOrEqual(took / share)
  })

  it('take all of it, in runs that end soon, if they may', async () => {
    expect(await rotateFor(100, { rotationTimeShare: 1 })).toEqual([0, took, took, took])
  })
})

describe('a multi-Region key', () => {
  /** @param hsm of the replica */
  async function dueInTwoRegions(hsm: string): Promise<readonly [Key, Key]> {
    const automaticRotation = { periodInDays: 90, nextDate: fixture.time }
    const own = { id: `mrk-${String(++count).padStart(32, '0')}`, automaticRotation }
    const primary = await fixture.key(count, { ...own, multiRegion: 'PRIMARY' })
    const materials = primary.materials.map(material => ({ ...material, object: { ...material.object!, hsm } }))
    const replica = await fixture.key(count, { ...own, materials, region: 'us-east-1', multiRegion: 'REPLICA' })
    expect(fixture.storage.keys.related(primary).map(({ arn }) => arn)).toEqual([replica.arn])
    return [primary, replica]
  }

  it('is rotated once, in all regions', async () => {
    const keys = await dueInTwoRegions(fixture.hsm.name)
    await pass(start(), 2 * minute)
    expect(keys.map(rotations)).toEqual([1, 1])
    const [primary, replica] = keys.map(stored)
    expect(replica!.materials).toEqual(primary!.materials)
    expect(replica!.automaticRotation).toEqual(primary!.automaticRotation)
    expect(fixture.records.map(({ eventName, resources }) => [eventName, resources![0]!.ARN])).toEqual([
      ['RotateKey', primary!.arn],
      ['SynchronizeMultiRegionKey', primary!.arn],
    ])
  })

  it('is rotated in no region while the HSM of one is away, leaves no object, and delays no other key', async () => {
    const keys = await dueInTwoRegions('away')
    const other = await due(0)
    const objects = await fixture.objects()
    await pass(start(), minute)
    expect(keys.map(rotations)).toEqual([0, 0])
    expect(rotations(other)).toBe(1)
    expect((await fixture.objects()).sort()).toEqual([...objects, currentMaterial(stored(other)).id].sort())
  })
})

it('a run ends soon, so that the gateway can stop', async () => {
  const keys = [await due(0), await due(0), await due(0), await due(0)]
  const commits = withCommit(async () => {
    fixture.time += 400
  })
  const run = start({ ...commits, rotationTimeShare: 1 })
  await run()
  expect(keys.map(rotations).filter(times => times > 0)).toHaveLength(3)
  await run()
  expect(keys.map(rotations)).toEqual([1, 1, 1, 1])
})
