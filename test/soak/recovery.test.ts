/** Recovery times and throughput under HSM faults: ratios within one run, on an idle machine. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Hsm } from '../../src/hsm/hsm.ts'
import type { Mode } from '../../src/hsm/profiles/profile.ts'
import { connectHsm } from '../../src/hsm/registry.ts'
import { newMaterial } from '../contracts/hsm.ts'
import { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { Callers } from '../hsm/callers.ts'
import { logTo } from '../hsm/log-to.ts'
import { createSoftHsm, type SoftHsm } from '../hsm/softhsm.ts'

const second = 1000
const callTimeout = 2 * second
const rounds = 3
/** No promise: a test is to end. */
const patient = { timeout: 20 * second }
const [canary, material] = [newMaterial(), newMaterial()]
/** Each mode with an HSM that it is for: one in software, and one behind a network. */
const modes: readonly (readonly [Mode, readonly string[]])[] = [
  ['synchronous', []],
  ['asynchronous', ['delay C_Encrypt 2ms', 'delay C_Decrypt 2ms']],
]

let softHsm: SoftHsm
let faults: FaultHsm
let hsm: Hsm
/** When workers were lost and ready. */
let lostAt: number[]
let readyAt: number[]

async function connect(mode: Mode, isSingle: boolean, canaryKey: { object: string } | undefined): Promise<void> {
  const profile = join(softHsm.directory, `${mode}.yaml`)
  const lines = [
    `name: ${mode}`,
    'basedOn: softhsm2',
    `mode: ${mode}`,
    'sessionsPerWorker: 8',
    `singleProcess: ${isSingle}`,
  ]
  writeFileSync(profile, lines.join('\n'))
  ;[lostAt, readyAt] = [[], []]
  hsm = await connectHsm({
    ...softHsm.options,
    profile,
    callTimeout,
    library: faults.library,
    environment: { ...softHsm.options.environment, ...faults.environment() },
    canary: () => canaryKey,
    log: logTo(({ event }) => {
      if (event === 'worker_lost') lostAt.push(performance.now())
      if (event === 'worker_ready') readyAt.push(performance.now())
    }),
  })
}

beforeAll(async () => {
  softHsm = await createSoftHsm()
  const folder = join(softHsm.directory, 'faults')
  mkdirSync(folder)
  faults = new FaultHsm(folder)
  await connect('synchronous', true, undefined)
  for (const id of [canary, material]) await hsm.generateKey(id, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'soak')
  await hsm.close()
})
afterEach(async () => {
  faults.clear()
  await hsm.close()
})
afterAll(() => softHsm.remove())

describe.each(modes)('32 callers that encrypt and decrypt without pause, in mode %s,', (mode, slowness) => {
  const start = async () => {
    faults.set(...slowness)
    await connect(mode, false, { object: canary })
    const callers = new Callers(hsm, material)
    // New processes are slow at first.
    await callers.rate(3 * second)
    return callers
  }

  it('keep 80% of their rate or more while a call hangs', async () => {
    const callers = await start()
    let [before, meanwhile] = [0, 0]
    for (let round = 1; round <= rounds; round++) {
      before += await callers.rate(callTimeout)
      faults.set('hang C_Encrypt times 1', ...slowness)
      meanwhile += await callers.rate(callTimeout)
      await vi.waitUntil(() => lostAt.length === round && readyAt.length === 2 + round, patient)
      faults.set(...slowness)
      await callers.rate(1000)
    }
    await callers.end()
    console.log(`${mode}: ${(before / rounds).toFixed()}/s, then ${(meanwhile / rounds).toFixed()}/s`)
    expect(callers.refusals.map(({ code }) => code)).toEqual(Array(rounds).fill('KeyUnavailableException'))
    expect(callers.longest).toBeLessThan(callTimeout + second / 2)
    expect(meanwhile / before).toBeGreaterThan(0.8)
  })

  it.each([
    ['one of them', 'times 1', 1],
    ['all of them', 'times 2', 2],
  ])('are served again within a second when the libraries of %s crash', async (_whom, times, crashes) => {
    const callers = await start()
    const workers = hsm.health.workers
    faults.set(`crash C_Encrypt ${times}`, ...slowness)
    await vi.waitUntil(() => lostAt.length === crashes && readyAt.length > workers, patient)
    await callers.end()
    const recovery = readyAt[workers]! - lostAt[0]!
    console.log(`${mode}: ${recovery.toFixed()} ms`)
    expect(recovery).toBeLessThan(second)
    expect(callers.refusals).toEqual([])
    expect(callers.wrong).toEqual([])
  })

  it('fail at once while the device is lost for 30 seconds, and are served within 2 seconds of its return', async () => {
    const callers = await start()
    faults.set('gone')
    await vi.waitUntil(() => hsm.health.state === 'unavailable', patient)
    const goneAt = performance.now()
    await delay(30 * second)
    faults.set(...slowness)
    const [backAt, done] = [performance.now(), callers.done]
    await vi.waitUntil(() => callers.done > done, { ...patient, interval: 5 })
    const recovery = performance.now() - backAt
    await callers.rate(second)
    await callers.end()
    const meanwhile = callers.refusals.filter(({ at }) => at > goneAt + 100 && at < backAt)
    const longest = meanwhile.reduce((longest, { after }) => Math.max(longest, after), 0)
    console.log(
      `${mode}: ${recovery.toFixed()} ms; ${meanwhile.length} refusals, the longest in ${longest.toFixed()} ms`,
    )
    expect(recovery).toBeLessThan(2 * second)
    expect(longest).toBeLessThan(second / 10)
    expect(new Set(callers.refusals.map(({ code }) => code))).toEqual(new Set(['KeyUnavailableException']))
    expect(callers.wrong).toEqual([])
    expect(await callers.unopened()).toBe(0)
  })
})

describe('32 callers of an HSM of which only one process may have the token open', () => {
  it.each([
    ['does not return', 'hang C_Encrypt times 1', ['KeyUnavailableException']],
    ['crashes the library', 'crash C_Encrypt times 1', []],
  ])('are served again within a second when a call %s', async (_what, rule, refused) => {
    await connect('synchronous', true, { object: canary })
    const callers = new Callers(hsm, material)
    await callers.rate(3 * second)
    faults.set(rule)
    await vi.waitUntil(() => faults.counts()[0]!.hits === 1, { ...patient, interval: 1 })
    const at = performance.now()
    await vi.waitUntil(() => readyAt.length === 2, { ...patient, interval: 5 })
    await callers.end()
    console.log(`one process: ${(readyAt[1]! - at).toFixed()} ms`)
    expect(readyAt[1]! - at).toBeLessThan(second)
    expect(callers.refusals.map(({ code }) => code)).toEqual(refused)
    expect(callers.wrong).toEqual([])
  })
})
