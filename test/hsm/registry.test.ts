import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Hsm } from '../../src/hsm/hsm.ts'
import { HsmRegistry } from '../../src/hsm/registry.ts'
import { checkCustody } from '../../src/jobs/check-custody.ts'
import { sweepOrphans } from '../../src/jobs/sweep-orphans.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createReadiness } from '../../src/readiness.ts'
import { createSystemKeys } from '../../src/vault/system-keys.ts'
import { newMaterial } from '../contracts/hsm.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'
import { logTo } from './log-to.ts'
import { createSoftHsm, type SoftHsm } from './softhsm.ts'

/** A second HSM beside that of the fixture, connected and disconnected while the gateway runs. */

let fixture: Fixture
let other: SoftHsm
/** Process ids of the workers of the second HSM. */
let workers: number[]

const unavailable = { code: 'KeyUnavailable' }
const text = Buffer.from('text')

beforeAll(async () => {
  fixture = await openFixture()
  other = await createSoftHsm()
})
afterAll(async () => {
  await fixture?.close()
  other?.remove()
})

function connectSecond(): Promise<Hsm> {
  workers = []
  const log = logTo(({ event, worker }) => event === 'worker_ready' && workers.push(worker as number))
  return fixture.hsms.connect({ ...other.options, name: 'second', workers: 2, log })
}

const names = () => fixture.hsms.all.map(({ name }) => name)

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('a second HSM', () => {
  it('is found once connected, is used beside the first, and answers no calls once disconnected', async () => {
    expect(() => fixture.hsms.named('second')).toThrow(expect.objectContaining(unavailable))
    const connecting = connectSecond()
    expect(() => fixture.hsms.named('second')).toThrow(expect.objectContaining(unavailable))
    expect(names()).toEqual(['test'])
    const hsm = await connecting
    expect(names()).toEqual(['test', 'second'])
    expect(fixture.hsms.named('second')).toBe(hsm)

    const caller = fixture.hsms.for('caller').named('second')
    const object = newMaterial()
    await caller.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'of the second HSM')
    const sealed = await caller.encrypt(object, text, text)
    await expect(fixture.hsm.encrypt(object, text, text)).rejects.toMatchObject({ code: 'InvalidState' })

    const underWay = Array.from({ length: 50 }, () => caller.decrypt(object, sealed, text))
    const disconnected = fixture.hsms.disconnect('second')
    expect(names()).toEqual(['test'])
    for (const hsms of [fixture.hsms, fixture.hsms.for('caller')])
      expect(() => hsms.named('second')).toThrow(expect.objectContaining(unavailable))
    expect((await Promise.all(underWay)).map(String)).toEqual(Array(50).fill('text'))
    await disconnected
    await expect(caller.decrypt(object, sealed, text)).rejects.toMatchObject(unavailable)
    expect(workers).not.toEqual([])
    expect(workers.filter(isAlive)).toEqual([])
    expect(fixture.hsm.health.state).toBe('ready')
    await fixture.hsm.random(1)

    const again = await connectSecond()
    expect(Buffer.from(await again.decrypt(object, sealed, text))).toEqual(text)
    await fixture.hsms.disconnect('second')
  })

  it('shows in readiness, metrics and jobs for as long as it is connected', async () => {
    const { hsms, services, storage } = fixture
    const clock = () => fixture.time
    const metrics = createMetrics(() => hsms.all)
    const readiness = createReadiness({ storage, audit: { check: async () => {} }, hsms }, () => fixture.time)
    const watched = { ...services, metrics, health: readiness }
    const jobs = [checkCustody, sweepOrphans].map(job => job.start(watched))
    for (const hsm of hsms.all) await createSystemKeys(hsm, { ...services, clock }, {})

    /** What is shown of which HSMs; the metrics that show all of them. */
    async function shown(): Promise<{ parts: unknown; hsmsOfMetrics: unknown; isReady: boolean }> {
      for (const run of jobs) await run()
      fixture.time += 60_000
      for (const run of jobs) await run()
      const { ready, parts } = await readiness.probe()
      const series = (await metrics.text()).matchAll(/^(strongroom_hsm_\w+)\{.*hsm="(\w+)"/gm)
      const byMetric = [...Map.groupBy(series, ([, name]) => name!)]
      expect(byMetric.length).toBeGreaterThan(4)
      const hsmsOfMetrics = byMetric.map(([, all]) => [...new Set(all.map(([, , hsm]) => hsm))].join())
      return { parts: Object.keys(parts), hsmsOfMetrics: [...new Set(hsmsOfMetrics)], isReady: ready }
    }
    const expected = (hsms: readonly string[]) => ({
      parts: ['storage', 'audit', ...hsms.map(hsm => `hsm/${hsm}`), ...hsms.map(hsm => `custody/${hsm}`), 'clock'],
      hsmsOfMetrics: [hsms.join()],
      isReady: true,
    })

    expect(await shown()).toEqual(expected(['test']))
    await createSystemKeys(await connectSecond(), { ...services, clock }, {})
    expect(await shown()).toEqual(expected(['test', 'second']))
    await hsms.disconnect('second')
    expect(await shown()).toEqual(expected(['test']))
  })

  it('has a name of its own', async () => {
    const twice = await Promise.allSettled([connectSecond(), connectSecond()])
    expect(twice.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    await fixture.hsms.disconnect('second')
    await expect(fixture.hsms.connect(fixture.softHsm.options)).rejects.toThrow('test is connected already')
  })

  it('that cannot be connected leaves nothing behind, and can be connected once its fault is fixed', async () => {
    const wrong = { ...other.options, name: 'second', tokenLabel: 'another' }
    await expect(fixture.hsms.connect(wrong)).rejects.toThrow(/^HSM second: .*no token/)
    expect(names()).toEqual(['test'])
    await connectSecond()
    expect(names()).toEqual(['test', 'second'])
    await fixture.hsms.disconnect('second')
  })

  it('is disconnected once it is connected, when both are asked for at once, and connected again after that', async () => {
    const connecting = connectSecond()
    const disconnecting = fixture.hsms.disconnect('second')
    await connecting
    await disconnecting
    expect(names()).toEqual(['test'])
    const again = connectSecond()
    expect((await again).health.state).toBe('ready')
    const [gone, back] = [fixture.hsms.disconnect('second'), connectSecond()]
    await gone
    expect((await back).health.state).toBe('ready')
    await fixture.hsms.disconnect('second')
    await fixture.hsms.disconnect('second')
    expect(names()).toEqual(['test'])
  })
})

describe('a registry', () => {
  it('knows the HSM of a region, even if it is not connected', async () => {
    const registry = new HsmRegistry({ 'eu-central-1': 'second', 'eu-west-1': 'missing' })
    const hsm = await registry.connect({ ...other.options, name: 'second', workers: 1 })
    expect(registry.ofRegion('eu-central-1')).toBe(hsm)
    expect(registry.for('caller').ofRegion('eu-central-1')).toBe(hsm.for('caller'))
    for (const region of ['eu-west-1', 'mars-1'])
      expect(() => registry.ofRegion(region), region).toThrow(expect.objectContaining(unavailable))
    await registry.close()
    await expect(registry.connect(other.options)).rejects.toThrow('no HSM is connected any more')
    await expect(hsm.random(1)).rejects.toMatchObject(unavailable)
  })

  it('that is closed while an HSM is being connected closes that one too', async () => {
    const registry = new HsmRegistry({})
    const connecting = registry.connect({ ...other.options, workers: 1 })
    await registry.close()
    await expect((await connecting).random(1)).rejects.toMatchObject(unavailable)
  })
})
