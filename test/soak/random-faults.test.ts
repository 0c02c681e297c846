/** Minutes of random faults under a complete gateway: every answer is right or an error, nothing is lost, nothing leaks. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Gateway, type Installation, install, serve } from '../end-to-end/gateway.ts'
import { send } from '../end-to-end/requests.ts'
import { objectsOn } from '../end-to-end/token-objects.ts'
import { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { Clients, type Keys } from './clients.ts'
import { faultPeriod } from './fault-periods.ts'
import { Resources } from './resources.ts'
import { SeededRandom } from './seeded-random.ts'

const minutes = Number(process.env.STRONGROOM_SOAK_MINUTES ?? 10)
const seed = Number(process.env.STRONGROOM_SOAK_SEED ?? Date.now() % 2 ** 31)
/** Mode of the workers: see profile.ts. */
const mode = process.env.STRONGROOM_SOAK_MODE ?? 'synchronous'
/** Share of the time in which workers are lost; in the rest they live long enough to show leaks. */
const severeShare = 0.6
const callTimeout = 2000
const workers = 2
/** More sessions than two workers ever open. */
const mostSessions = 100
const patient = { timeout: 60_000, interval: 500 }

let installation: Installation
let faults: FaultHsm
let gateway: Gateway

beforeAll(async () => {
  installation = await install({ workers })
  const folder = join(installation.folder, 'faults')
  mkdirSync(folder)
  faults = new FaultHsm(folder)
  writeFileSync(join(folder, 'soak.yaml'), `name: soak\nbasedOn: softhsm2\nmode: ${mode}\nsessionsPerWorker: 8\n`)
  installation.configure(({ hsms }) => {
    Object.assign(hsms.softhsm!, { library: faults.library, profile: './faults/soak.yaml' })
    Object.assign(hsms.softhsm!.environment, faults.environment())
  })
  gateway = await serve(installation)
})
afterAll(async () => {
  await gateway?.kill()
  installation?.remove()
})

async function makeKeys(): Promise<Keys> {
  const kms = gateway.client()
  const [aes, ec, hmac] = await Promise.all([
    kms.createKey({}),
    kms.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
    kms.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
  ])
  const id = ({ KeyMetadata }: typeof aes) => KeyMetadata!.KeyId!
  return { aes: id(aes), ec: id(ec), hmac: id(hmac) }
}

/** Runs one period after another. Returns how many more sessions were opened than closed by surviving workers. */
async function misbehave(random: SeededRandom, resources: Resources): Promise<number> {
  const start = performance.now()
  const lasts = minutes * 60_000
  let sessions = 0
  for (let elapsed = 0; elapsed < lasts; elapsed = performance.now() - start) {
    const severity = elapsed < severeShare * lasts ? 'severe' : 'mild'
    const { rules, length, killed } = faultPeriod(random, severity)
    const before = [gateway.workers(), gateway.startedWorkers().size].join()
    faults.set('count C_OpenSession after', 'count C_CloseSession', ...rules)
    for (const pid of gateway.workers().slice(0, killed)) process.kill(pid, 'SIGKILL')
    await delay(length)
    const [opened, closed] = faults.counts().map(({ calls }) => calls)
    if (severity === 'mild' && before === [gateway.workers(), gateway.startedWorkers().size].join())
      sessions += opened! - closed!
    // A spare takes up less than a worker that has opened the token.
    const ready = gateway.startedWorkers()
    resources.take([gateway.pid, ...gateway.workers().filter(pid => ready.has(pid))])
  }
  faults.clear()
  return sessions
}

/** Orphaned objects, and keys without an object; restarts the gateway. */
async function unaccounted(): Promise<{ readonly orphans: readonly string[]; readonly lost: readonly string[] }> {
  await gateway.stop()
  const database = new DatabaseSync(join(installation.folder, 'strongroom.db'), { readOnly: true })
  const materials = database
    .prepare('select id from key_materials')
    .all()
    .map(({ id }) => id as string)
  database.close()
  const objects = (await objectsOn(installation)).filter(({ label }) => !label.startsWith('strongroom '))
  gateway = await serve(installation)
  const ids = new Set(objects.map(({ id }) => id))
  return { orphans: [...ids].filter(id => !materials.includes(id)), lost: materials.filter(id => !ids.has(id)) }
}

async function allIsWell(): Promise<void> {
  const ready = async () => JSON.parse((await send(`${gateway.url}/readyz`, {})).body) as unknown
  const parts = { storage: 'ok', audit: 'ok', 'hsm/softhsm': 'ok', 'custody/softhsm': 'ok', clock: 'ok' }
  await vi.waitFor(async () => expect(await ready()).toEqual({ status: 'ok', parts }), patient)
}

it(`${minutes} minutes of random faults, seed ${seed}, mode ${mode}`, async () => {
  console.log(`STRONGROOM_SOAK_SEED=${seed} STRONGROOM_SOAK_MODE=${mode} STRONGROOM_SOAK_MINUTES=${minutes}`)
  const random = new SeededRandom(seed)
  const resources = new Resources()
  const clients = new Clients(gateway.client(), await makeKeys(), random)
  await clients.warm(60_000)
  const sessions = await misbehave(random, resources)
  await allIsWell()
  await clients.end()

  const longest = resources.longestBut(gateway.pid)
  const [ofGateway, ofWorker] = [resources.growth(gateway.pid), resources.growth(longest)]
  const { answered, refused, slowest, wrong } = clients
  const workersStarted = gateway.startedWorkers().size
  console.log({ answered, refused, slowest, wrong: wrong.length, workersStarted, sessions, ofGateway, ofWorker })
  expect(wrong).toEqual([])
  expect(await clients.undecipherable()).toBe(0)
  expect(await clients.lostKeys()).toEqual([])
  const complaints = gateway.complaints()
  const { orphans, lost } = await unaccounted()
  console.log({ orphans: orphans.length })
  expect(lost).toEqual([])
  for (const orphan of orphans) await gateway.logged(({ id }) => id === orphan)
  expect(complaints.filter(line => !line.startsWith('{'))).toEqual([])
  for (const { memory, files } of [ofGateway, ofWorker]) {
    expect(memory).toBeLessThan(1.2)
    expect(files).toBeLessThan(1.2)
  }
  expect(sessions).toBeLessThan(mostSessions)
  // An operation makes at most two HSM calls, and key generation has five times the time-out.
  const { CreateKey, ...others } = slowest
  expect(Math.max(...Object.values(others))).toBeLessThan(2 * callTimeout + 1000)
  expect(CreateKey).toBeLessThan(5 * callTimeout + 1000)
})
