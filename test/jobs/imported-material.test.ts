import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import { deleteExpiredKeyMaterial } from '../../src/jobs/delete-expired-key-material.ts'
import { deleteWrappingKeys } from '../../src/jobs/delete-wrapping-keys.ts'
import type { Key, KeyMaterial } from '../../src/model/keys/key.ts'
import { keyState } from '../../src/model/keys/key-state.ts'
import type { JobServices } from '../../src/services.ts'
import { Changes, Conflict } from '../../src/storage/storage.ts'
import { aMaterial, aWrappingKey } from '../storage/records.ts'
import { committing, type Fixture, openFixture } from './fixture.ts'

/** The jobs of imported key material: expiry, and the destruction of wrapping keys. */

const [second, minute, day] = [1000, 60_000, 86_400_000]

let fixture: Fixture
let count = 0
beforeAll(async () => {
  fixture = await openFixture()
})
afterAll(() => fixture?.close())
beforeEach(() => {
  fixture.records.length = 0
  fixture.logged.length = 0
})

/** By the machine's clock, which tests set forward for good. */
const wall = () => fixture.time + fixture.ahead
/** Its objects are on no HSM: the job does not need it. */
async function imported(changes: Partial<Key>): Promise<Key> {
  return fixture.key(++count, { origin: 'EXTERNAL', ...changes })
}
/** @param inMilliseconds until it expires */
const until = (number: number, inMilliseconds: number): KeyMaterial => ({
  ...aMaterial(1000 * count + number),
  imported: { validTo: wall() + inMilliseconds, description: 'mine' },
})
const stored = (key: Key) => fixture.storage.keys.find(key.arn)!
const start = (services: Partial<JobServices> = {}) =>
  deleteExpiredKeyMaterial.start({ ...fixture.services, ...services })
const marked = () => fixture.storage.destructions.list().map(({ object }) => object)

/** The same outbox, with something done before each commit. */
function withCommit(before: () => void): Pick<JobServices, 'outbox'> {
  const { outbox } = fixture.services
  const record: typeof outbox.record = async (changes, event) => {
    before()
    return outbox.record(changes, event)
  }
  return { outbox: committing(record, outbox) }
}

async function pass(run: () => Promise<void>, milliseconds: number): Promise<void> {
  for (const end = fixture.time + milliseconds; fixture.time < end; ) {
    fixture.time += second
    await run()
  }
}

async function waitUntilTrusted(run: () => Promise<void>): Promise<void> {
  for (let hours = 0; hours < 25; hours++) {
    fixture.time += 60 * minute
    await run()
  }
}

describe('imported material', () => {
  it('is taken from its key within a second of its date, each in one commit with its record', async () => {
    const materials = [until(1, 10 * second), until(2, 10 * second), until(3, day)]
    const pendingMaterial = until(4, 20 * second)
    const key = await imported({ materials, pendingMaterial })
    const run = start()
    await run()
    await pass(run, 9 * second)
    expect(stored(key)).toEqual(key)
    await pass(run, second)
    const [first, other, last] = stored(key).materials
    for (const [before, after] of [
      [materials[0], first],
      [materials[1], other],
    ]) {
      expect(after).toEqual({ ...before, object: undefined, imported: { validTo: undefined, description: 'mine' } })
      expect(marked()).toContain(before!.object!.id)
    }
    expect(last).toEqual(materials[2])
    expect(keyState(stored(key))).toBe('PendingImport')
    expect(fixture.records).toMatchObject(
      materials.slice(0, 2).map(({ id }) => ({
        eventName: 'DeleteExpiredKeyMaterial',
        serviceEventDetails: { keyId: key.id, keyMaterialId: id },
      })),
    )
    await pass(run, 10 * second)
    expect(stored(key).pendingMaterial).toBeUndefined()
    expect(marked()).toContain(pendingMaterial.object!.id)
  })

  it('expires while its key is pending deletion, which it stays', async () => {
    const key = await imported({ state: 'PendingDeletion', deletionDate: wall() + day, materials: [until(1, 0)] })
    await start()()
    expect(stored(key)).toMatchObject({ state: 'PendingDeletion', materials: [{ object: undefined }] })
  })

  it('is kept while the clock is not trusted', async () => {
    const key = await imported({ materials: [until(1, minute)] })
    const run = start()
    await run()
    fixture.ahead += 30 * day
    await pass(run, 2 * minute)
    expect(stored(key)).toEqual(key)
    await waitUntilTrusted(run)
    expect(stored(key).materials[0]!.object).toBeUndefined()
  })

  it('that another change is faster to keep is kept, and nothing is logged', async () => {
    const key = await imported({ materials: [until(1, 0)] })
    const run = start(
      withCommit(() => {
        throw new Conflict()
      }),
    )
    await run()
    expect([stored(key), fixture.logged]).toEqual([key, []])
    await start()()
    expect(stored(key).materials[0]!.object).toBeUndefined()
  })

  it('that cannot be taken is reported once a minute, and taken as soon as that is possible', async () => {
    const key = await imported({ materials: [until(1, 0)] })
    let isBroken = true
    const run = start(
      withCommit(() => {
        if (isBroken) throw new Failure('Internal')
      }),
    )
    await pass(run, 59 * second)
    expect(fixture.logged.filter(({ event }) => event === 'key_expiry_failed')).toHaveLength(1)
    isBroken = false
    await pass(run, minute)
    expect(stored(key).materials[0]!.object).toBeUndefined()
  })
})

describe('a wrapping key', () => {
  const inStorage = () => fixture.storage.wrappingKeys.all().map(({ day }) => day)

  it('is removed when no import token of its day is valid any more, unless the clock is not trusted', async () => {
    const key = await imported({ materials: [] })
    const today = Math.floor(wall() / day)
    const keys = [0, 1].map(later => ({ ...aWrappingKey(50 + later, key), day: today + later }))
    const changes = new Changes()
    for (const wrappingKey of keys) changes.put('wrappingKeys', wrappingKey)
    await fixture.storage.commit(changes)
    const run = deleteWrappingKeys.start(fixture.services)
    const end = (today + 2) * day
    for (; wall() < end - 1; fixture.time += Math.min(30 * minute, end - 1 - wall())) await run()
    expect(inStorage()).toEqual([today, today + 1])
    fixture.time += 1
    await run()
    expect(inStorage()).toEqual([today + 1])
    expect(marked()).toContain(keys[0]!.object.id)
    expect(fixture.records.at(-1)).toMatchObject({ eventName: 'DeleteWrappingKey', resources: [{ ARN: key.arn }] })
    fixture.ahead += 30 * day
    await run()
    expect(inStorage()).toEqual([today + 1])
    await waitUntilTrusted(run)
    expect(inStorage()).toEqual([])
  })
})
