import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sweepOrphans } from '../../src/jobs/sweep-orphans.ts'
import { Changes } from '../../src/storage/storage.ts'
import { createMaterial } from '../../src/vault/materials.ts'
import { type House, openHouse } from './house.ts'

let house: House

beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.close())
beforeEach(() => {
  house.logged.length = 0
})

const aes = { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' } as const

const [seconds, minutes] = [1000, 60_000]

/** Starts the job; what it returns is its run so many milliseconds later. */
function start(): (later?: number) => Promise<void> {
  const run = sweepOrphans.start(house.services)
  return (later = 0) => {
    house.time += later
    return run()
  }
}

const reported = () => house.logged.map(({ id }) => id)

describe('an object on the token', () => {
  it('that no record knows is reported once it was seen twice within seconds, and never destroyed', async () => {
    const { id } = await createMaterial(house.hsm, aes, 'left over', house.time)
    const run = start()
    await run()
    await run(9 * seconds)
    expect(reported()).toEqual([])
    expect(house.orphans.get(house.hsm.name)).toBe(0)
    await run(1 * seconds)
    expect(reported()).toEqual([id])
    await run(4 * minutes)
    expect(reported()).toEqual([id])
    await run(1 * minutes)
    expect(reported()).toEqual([id, id])
    expect(house.logged[0]).toEqual({ event: 'orphaned_object', hsm: house.hsm.name, id, label: 'left over' })
    expect(house.orphans.get(house.hsm.name)).toBe(1)
    expect(await house.objects()).toContain(id)

    await house.hsm.destroyKey(id)
    await run(5 * minutes)
    expect(house.orphans.get(house.hsm.name)).toBe(0)
  })

  it('whose record is committed between two looks is none', async () => {
    const run = start()
    const material = await createMaterial(house.hsm, aes, 'being created', house.time)
    await run()
    await house.key(1, { materials: [material] })
    await run(10 * seconds)
    expect(reported()).not.toContain(material.id)
    for (const id of await house.objects()) if (id !== material.id) await house.hsm.destroyKey(id)
  })

  it('of a key, of the gateway itself, or waiting for its destruction is none', async () => {
    await house.key(2)
    const changes = new Changes()
    for (const purpose of ['seal', 'canary'] as const) {
      const material = await createMaterial(house.hsm, aes, purpose, house.time)
      changes.put('systemKeys', { purpose, material, revision: 0 })
    }
    const waiting = await createMaterial(house.hsm, aes, 'waiting', house.time)
    const { id: material, hsm } = waiting
    changes.put('destructions', { material, hsm, keyArn: 'arn:aws:kms:us-east-1:111122223333:key/gone', revision: 0 })
    await house.storage.commit(changes)
    const run = start()
    await run()
    await run(5 * minutes)
    expect(reported()).toEqual([])
    expect(await house.objects()).toHaveLength(5)
  })
})
