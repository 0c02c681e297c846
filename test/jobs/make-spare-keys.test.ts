import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import type { Hsm } from '../../src/hsm/hsm.ts'
import { checkCustody } from '../../src/jobs/check-custody.ts'
import { destroyObjects } from '../../src/jobs/destroy-objects.ts'
import { makeSpareKeys } from '../../src/jobs/make-spare-keys.ts'
import { sweepOrphans } from '../../src/jobs/sweep-orphans.ts'
import type { JobServices } from '../../src/services.ts'
import { Changes, Conflict } from '../../src/storage/storage.ts'
import { takeSpare } from '../../src/vault/spare-keys.ts'
import { aKey } from '../storage/records.ts'
import { type Fixture, openFixture } from './fixture.ts'

const minute = 60_000
const signing = { spec: 'RSA_2048', usage: 'SIGN_VERIFY' } as const

let fixture: Fixture
beforeAll(async () => {
  fixture = await openFixture()
})
afterAll(() => fixture?.close())

const spares = () => fixture.storage.spareKeys.onHsm('test')
const names = () => fixture.records.map(({ eventName }) => eventName)

function start(spareRsaKeys: number | undefined, services: Partial<JobServices> = {}): () => Promise<void> {
  const emulator = spareRsaKeys === undefined ? undefined : { spareRsaKeys }
  return makeSpareKeys.start({ ...fixture.services, emulator, ...services })
}

async function runs(count: number, run: () => Promise<void>): Promise<void> {
  for (let i = 0; i < count; i++) await run()
}

/** The same HSM with some members of its own. */
function withHsm(own: Partial<Hsm>): Pick<JobServices, 'hsms'> {
  const { hsm } = fixture
  const changed = new Proxy(hsm, {
    get(_, member) {
      const value = own[member as keyof Hsm] ?? hsm[member as keyof Hsm]
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

describe('spare keys', () => {
  it('are made one in a run, for each usage, until there are as many as the configuration says', async () => {
    const run = start(1)
    await run()
    expect(spares().map(({ spec, usage }) => [spec, usage])).toEqual([['RSA_2048', 'SIGN_VERIFY']])
    await runs(3, run)
    expect(spares().map(({ usage }) => usage)).toEqual(['SIGN_VERIFY', 'ENCRYPT_DECRYPT'])
    expect(names()).toEqual(['CreateSpareKey', 'CreateSpareKey'])
    expect(spares().map(({ object }) => object.id)).toEqual(await fixture.objects())
    const { custody } = spares()[0]!.object
    expect(custody).toMatchObject({ local: true, neverExtractable: true, extractable: false })
  })

  it('are not made while the HSM has something else to do, or is not ready', async () => {
    const generateKey = () => expect.fail('A key was generated.')
    const health = { ...fixture.hsm.health, state: 'unavailable' } as const
    for (const own of [{ pending: 1 }, { health }]) await start(2, withHsm({ generateKey, ...own }))()
    expect(spares()).toHaveLength(2)
  })

  it('are not made on the HSM of a custom key store', async () => {
    let tried = 0
    const generateKey = async () => {
      tried++
      throw new Failure('KeyUnavailable')
    }
    const { hsms } = withHsm({ generateKey })
    await start(9, { hsms: { ...hsms, regional: [] } })()
    expect(tried).toBe(0)
  })

  it('are not tried again for a minute after a failure', async () => {
    let tried = 0
    const generateKey = async () => {
      tried++
      throw new Failure('KeyUnavailable')
    }
    const run = start(2, withHsm({ generateKey }))
    await runs(3, run)
    expect(tried).toBe(1)
    fixture.time += minute
    await runs(3, run)
    expect(tried).toBe(2)
    expect(fixture.logged.map(({ event }) => event)).toEqual(['spare_key_failed', 'spare_key_failed'])
  })

  it('are no orphans, and pass custody checks', async () => {
    fixture.logged.length = 0
    const sweep = sweepOrphans.start(fixture.services)
    const check = checkCustody.start(fixture.services)
    for (let i = 0; i < 3; i++) {
      await sweep()
      await check()
      fixture.time += minute
    }
    expect(fixture.orphans.get('test')).toBe(0)
    expect(fixture.logged).toEqual([])
  })

  it('are given once: of two changes that take the same one, the second conflicts; one not committed stays', async () => {
    const { storage } = fixture
    const taken = [1, 2, 3].map(number => {
      const changes = new Changes()
      const material = takeSpare('test', signing, fixture.time, { storage, changes })!
      changes.put('keys', aKey(number, { ...signing, materials: [material] }))
      return { changes, material }
    })
    expect(new Set(taken.map(({ material }) => material.id)).size).toBe(1)
    expect(spares()).toHaveLength(2)
    await storage.commit(taken[1]!.changes)
    for (const { changes } of [taken[0]!, taken[2]!]) await expect(storage.commit(changes)).rejects.toThrow(Conflict)
    expect(spares().map(({ usage }) => usage)).toEqual(['ENCRYPT_DECRYPT'])
    expect(takeSpare('test', signing, fixture.time, { storage, changes: new Changes() })).toBeUndefined()
    expect(takeSpare('other', signing, fixture.time, { storage, changes: new Changes() })).toBeUndefined()
    await start(1)()
    expect(spares()).toHaveLength(2)
  })

  it('are dropped, and given to no key, when their object is gone', async () => {
    const [gone] = spares().filter(({ usage }) => usage === 'SIGN_VERIFY')
    await fixture.hsm.destroyKey(gone!.object.id)
    fixture.logged.length = 0
    fixture.records.length = 0
    fixture.time += 61 * minute
    await checkCustody.start(fixture.services)()
    expect(spares().map(({ usage }) => usage)).toEqual(['ENCRYPT_DECRYPT'])
    const seen = fixture.logged.filter(({ event }) => event === 'custody_fault')
    expect(seen).toMatchObject([{ key: gone!.object.id, fault: 'missing' }])
    expect(names()).toContain('DropSpareKey')
  })

  it('are dropped and destroyed when there are too many, and all of them outside emulator mode', async () => {
    await start(1)()
    expect(spares()).toHaveLength(2)
    const ids = spares().map(({ object }) => object.id)
    fixture.records.length = 0
    await runs(3, start(undefined))
    expect(spares()).toEqual([])
    expect(names()).toEqual(['DropSpareKey', 'DropSpareKey'])
    await destroyObjects.start(fixture.services)()
    expect(names().slice(2)).toEqual(['DestroyKeyMaterial', 'DestroyKeyMaterial'])
    const left = await fixture.objects()
    for (const id of ids) expect(left).not.toContain(id)
    expect(fixture.storage.destructions.list()).toEqual([])
  })
})
