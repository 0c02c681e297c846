/** A token with many keys: calls do not wait for its listing, and do not fail while another worker takes over. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm, type HsmOptions } from '../../../src/hsm/registry.ts'
import { Callers } from '../callers.ts'
import { logTo } from '../log-to.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'
import { fill } from './many-objects.ts'

/** More with STRONGROOM_OBJECTS, as the soak has it. */
const objects = Number(process.env.STRONGROOM_OBJECTS ?? 4000)

let softHsm: SoftHsm
let materials: readonly string[]
let hsm: Hsm
const lost: unknown[] = []
const ready: number[] = []

beforeAll(async () => {
  softHsm = await createSoftHsm()
  materials = await fill(softHsm, objects)
  await connect()
})
afterEach(() => {
  lost.length = 0
})
afterAll(async () => {
  await hsm.close()
  softHsm.remove()
})

async function connect(options: Partial<HsmOptions> = {}): Promise<void> {
  hsm = await connectHsm({
    ...softHsm.options,
    ...options,
    canary: () => ({ object: materials[0]! }),
    log: logTo(({ event, worker }) => {
      if (event === 'worker_lost') lost.push(worker)
      if (event === 'worker_ready') ready.push(worker as number)
    }),
  })
}

describe('a token with thousands of keys', () => {
  it('is listed while callers are answered, all of them in time', async () => {
    await hsm.objects()
    const callers = new Callers(hsm, materials[1]!, 8)
    await callers.rate(200)
    callers.longest = 0
    const [before, start] = [callers.done, performance.now()]
    const listed = await hsm.objects()
    const [during, took] = [callers.done - before, performance.now() - start]
    await callers.end()
    console.log(`${objects} objects: ${took.toFixed()} ms, ${during} calls meanwhile, ${callers.longest.toFixed()} ms`)
    expect(listed).toHaveLength(objects)
    expect(listed.filter(({ label }) => label === 'used').map(({ id }) => id)).toEqual(
      expect.arrayContaining([...materials]),
    )
    // Every page gives the token back.
    expect(during).toBeGreaterThan(objects / 100)
    expect(callers.refusals).toEqual([])
    expect(lost).toEqual([])
  })

  it('does not block the creation and destruction of keys', async () => {
    const listing = hsm.objects()
    const created = 'ab'.repeat(32)
    await hsm.generateKey(created, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'short-lived')
    await hsm.destroyKey(created)
    expect((await listing).length).toBeGreaterThanOrEqual(objects)
    expect((await hsm.objects()).map(({ id }) => id)).not.toContain(created)
  })

  it('causes no error when its worker dies, whichever key is used first', async () => {
    await hsm.close()
    await connect({ callTimeout: 20_000 })
    const callers = materials.slice(1, 9).map(object => new Callers(hsm, object, 1))
    await callers[0]!.rate(200)
    const before = callers.map(({ done }) => done)
    process.kill(ready.at(-1)!, 'SIGKILL')
    await expect.poll(() => callers.every(({ done }, i) => done > before[i]! + 2), { timeout: 20_000 }).toBe(true)
    await Promise.all(callers.map(one => one.end()))
    expect(callers.flatMap(({ refusals }) => refusals)).toEqual([])
    expect(lost).toHaveLength(1)
  })
})
