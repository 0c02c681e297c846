import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sweepOrphans } from '../../src/jobs/sweep-orphans.ts'
import { objectOf } from '../../src/model/keys/key.ts'
import { Changes } from '../../src/storage/storage.ts'
import { createMaterial } from '../../src/vault/materials.ts'
import { type Fixture, openFixture } from './fixture.ts'

let fixture: Fixture

beforeAll(async () => {
  fixture = await openFixture()
})
afterAll(() => fixture?.close())
beforeEach(() => {
  fixture.logged.length = 0
})

const aes = { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' } as const

const [seconds, minutes] = [1000, 60_000]

/** Starts the job; what it returns is its run so many milliseconds later. */
function start(): (later?: number) => Promise<void> {
  const run = sweepOrphans.start(fixture.services)
  return (later = 0) => {
    fixture.time += later
    return run()
  }
}

const reported = () => fixture.logged.map(({ id }) => id)

describe('an object on the token', () => {
  it('without a record is reported once it was found twice within seconds, and never destroyed', async () => {
    const { id } = await createMaterial(fixture.hsm, aes, 'left over', fixture.time)
    const run = start()
    await run()
    await run(9 * seconds)
    expect(reported()).toEqual([])
    expect(fixture.orphans.get(fixture.hsm.name)).toBe(0)
    await run(1 * seconds)
    expect(reported()).toEqual([id])
    await run(4 * minutes)
    expect(reported()).toEqual([id])
    await run(1 * minutes)
    expect(reported()).toEqual([id, id])
    expect(fixture.logged[0]).toEqual({ event: 'orphaned_object', hsm: fixture.hsm.name, id, label: 'left over' })
    expect(fixture.orphans.get(fixture.hsm.name)).toBe(1)
    expect(await fixture.objects()).toContain(id)

    await fixture.hsm.destroyKey(id)
    await run(5 * minutes)
    expect(fixture.orphans.get(fixture.hsm.name)).toBe(0)
  })

  it('whose record is committed between two listings is not orphaned', async () => {
    const run = start()
    const material = await createMaterial(fixture.hsm, aes, 'being created', fixture.time)
    await run()
    await fixture.key(1, { materials: [material] })
    await run(10 * seconds)
    expect(reported()).not.toContain(material.id)
    for (const id of await fixture.objects()) if (id !== material.id) await fixture.hsm.destroyKey(id)
  })

  it('of a key, of the gateway itself, or waiting for its destruction is none', async () => {
    await fixture.key(2)
    const changes = new Changes()
    for (const purpose of ['seal', 'canary'] as const) {
      const material = await createMaterial(fixture.hsm, aes, purpose, fixture.time)
      changes.put('systemKeys', { purpose, material, revision: 0 })
    }
    const waiting = await createMaterial(fixture.hsm, aes, 'waiting', fixture.time)
    const { id: object, hsm } = objectOf(waiting)
    changes.put('destructions', { object, hsm, keyArn: 'arn:aws:kms:us-east-1:111122223333:key/gone', revision: 0 })
    await fixture.storage.commit(changes)
    const run = start()
    await run()
    await run(5 * minutes)
    expect(reported()).toEqual([])
    expect(await fixture.objects()).toHaveLength(5)
  })

  it('of a key with an object on another HSM, which may be the same token, is none', async () => {
    const [marked, used] = [
      await createMaterial(fixture.hsm, aes, 'marked elsewhere', fixture.time),
      await createMaterial(fixture.hsm, aes, 'used elsewhere', fixture.time),
    ]
    const changes = new Changes()
    changes.put('destructions', { object: marked.id, hsm: 'elsewhere', keyArn: undefined, revision: 0 })
    await fixture.storage.commit(changes)
    await fixture.key(3, { materials: [{ ...used, object: { ...objectOf(used), hsm: 'elsewhere' } }] })
    const run = start()
    await run(1 * minutes)
    await run(10 * seconds)
    for (const { id } of [marked, used]) expect(reported()).not.toContain(id)
  })
})

describe('the audit', () => {
  it('names orphaned objects once, and again when they are gone', async () => {
    const details = () =>
      fixture.records
        .filter(({ eventName }) => eventName === 'ReportOrphanedObjects')
        .map(({ serviceEventDetails }) => serviceEventDetails)
    const run = start()
    for (let times = 0; times < 2; times++) await run(10 * seconds)
    fixture.records.length = 0
    const { id } = await createMaterial(fixture.hsm, aes, 'left over', fixture.time)
    for (let times = 0; times < 4; times++) await run(5 * minutes)
    expect(details()).toEqual([{ hsm: fixture.hsm.name, found: [id], gone: [] }])
    await fixture.hsm.destroyKey(id)
    for (let times = 0; times < 2; times++) await run(5 * minutes)
    expect(details().slice(1)).toEqual([{ hsm: fixture.hsm.name, found: [], gone: [id] }])
  })
})
