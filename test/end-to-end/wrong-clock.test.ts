import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Preloaded } from '../preloaded/preloaded.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { send } from './requests.ts'

/** Machines whose clock is set. */

const hour = 3600
const day = 24 * hour

let folder: string
let clock: Preloaded
let installation: Installation
let gateway: Gateway

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wrong-clock-'))
  clock = new Preloaded('wrong-clock', folder)
  installation = await install()
  gateway = await start()
})
afterAll(async () => {
  await gateway?.kill()
  installation?.remove()
  rmSync(folder, { recursive: true })
})

const start = () => serve(installation, { environment: clock.environment })

async function ready(): Promise<{ status: number; parts: Record<string, string> }> {
  const { status, body } = await send(`${gateway.url}/readyz`, {})
  return { status, parts: (JSON.parse(body) as { parts: Record<string, string> }).parts }
}

it('an hour back, the HSM is still checked', async () => {
  await expect.poll(ready, { timeout: 10_000 }).toMatchObject({ status: 200 })
  clock.set(-hour)
  const tokens = join(installation.folder, 'tokens')
  renameSync(tokens, `${tokens}-away`)
  for (const pid of gateway.workers()) process.kill(pid, 'SIGKILL')
  await expect.poll(ready, { timeout: 15_000 }).toMatchObject({ status: 503, parts: { 'hsm/softhsm': 'failing' } })
  renameSync(`${tokens}-away`, tokens)
  await expect.poll(ready, { timeout: 15_000 }).toMatchObject({ status: 200, parts: { 'hsm/softhsm': 'ok' } })
  clock.set(0)
})

it('30 days ahead at a start, no key that is due then is destroyed, and the reason is reported', async () => {
  const { KeyMetadata } = await gateway.client().createKey({})
  const KeyId = KeyMetadata!.KeyId!
  await gateway.client().scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 })
  for (const [ahead, why] of [
    [30 * day, 'clock_unwatched'],
    [0, 'clock_jumped'],
  ] as const) {
    expect(await gateway.stop()).toBe(0)
    clock.set(ahead)
    gateway = await start()
    expect(await gateway.logged(({ event }) => event === why)).toMatchObject({ level: 50, secondsToWait: day })
    await expect.poll(ready, { timeout: 10_000 }).toMatchObject({ status: 200, parts: { clock: 'failing' } })
    expect((await send(`${gateway.metricsUrl}/metrics`, {})).body).toContain('\nstrongroom_clock_stable 0\n')
    const kms = gateway.client({ systemClockOffset: ahead * 1000 })
    expect((await kms.describeKey({ KeyId })).KeyMetadata!.KeyState).toBe('PendingDeletion')
  }
  expect(gateway.records().map(({ eventName }) => eventName)).not.toContain('DeleteKey')
})
