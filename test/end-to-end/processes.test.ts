import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { cases } from '../thorough.ts'
import { installFaults } from './fault-injection.ts'
import { type Gateway, type Installation, install, program, serve } from './gateway.ts'

/** The processes of a gateway: which of them loads native code, how long they live, what happens when there can be no more. */

const Plaintext = Buffer.from('text')
const patient = { timeout: 15_000 }

let installation: Installation
let faults: FaultHsm
let gateway: Gateway

beforeAll(async () => {
  installation = await install({ workers: 2 })
  faults = installFaults(installation)
})
beforeEach(async () => {
  faults.clear()
  gateway = await serve(installation)
})
afterEach(() => gateway.kill())
afterAll(() => installation?.remove())

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

it('keep native PKCS#11 code in the workers', () => {
  const loads = (pid: number) => /softhsm|pkcs11\.node/.test(readFileSync(`/proc/${pid}/maps`, 'utf8'))
  expect(loads(gateway.pid)).toBe(false)
  expect(gateway.workers().some(loads)).toBe(true)
})

describe('when the gateway is killed, end', () => {
  it('when idle', async () => {
    const workers = gateway.workers()
    expect(workers).toHaveLength(2)
    await gateway.kill()
    await vi.waitUntil(() => !workers.some(isAlive), patient)
  })

  it.each(cases(['C_EncryptInit', 'C_GenerateKey', 'C_GenerateRandom']))('though %s hangs', async called => {
    const kms = gateway.client()
    const { KeyMetadata } = await kms.createKey({})
    faults.set(`hang ${called}`)
    const calls = [
      kms.encrypt({ KeyId: KeyMetadata!.Arn!, Plaintext }),
      kms.generateRandom({ NumberOfBytes: 16 }),
      kms.createKey({}),
    ].map(call => call.catch(() => undefined))
    await vi.waitUntil(() => faults.counts()[0]!.hits > 0, patient)
    await endWith(gateway)
    await Promise.all(calls)
  })

  it.each(cases(['C_Initialize', 'C_OpenSession', 'C_Login']))('though %s hangs in one that starts', async called => {
    faults.set(`hang ${called}`)
    for (const pid of gateway.workers()) process.kill(pid, 'SIGKILL')
    await vi.waitUntil(() => faults.counts()[0]!.hits > 0, patient)
    await endWith(gateway)
  })

  async function endWith({ workers, kill }: Gateway): Promise<void> {
    const pids = workers()
    expect(pids.some(isAlive)).toBe(true)
    await kill()
    await vi.waitUntil(() => !pids.some(isAlive), patient)
  }
})

it('survive while the gateway is only suspended', async () => {
  const workers = gateway.workers()
  const kms = gateway.client()
  const { KeyMetadata } = await kms.createKey({})
  process.kill(gateway.pid, 'SIGSTOP')
  // Longer than it takes them to end.
  await delay(2500)
  process.kill(gateway.pid, 'SIGCONT')
  await kms.encrypt({ KeyId: KeyMetadata!.KeyId!, Plaintext })
  expect(gateway.workers().sort()).toEqual(workers.sort())
})

it('end with doctor, though the library hangs', async () => {
  faults.set('hang C_Initialize')
  const main = program()
  const doctor = spawn(process.execPath, [main, 'doctor', '--data', installation.folder], { stdio: 'ignore' })
  await vi.waitUntil(() => faults.counts()[0]!.hits > 0, patient)
  const inspectors = readFileSync(`/proc/${doctor.pid}/task/${doctor.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .map(Number)
  expect(inspectors).toHaveLength(1)
  doctor.kill('SIGKILL')
  await vi.waitUntil(() => !inspectors.some(isAlive), patient)
})

describe('out of file descriptors', () => {
  // Descriptors that were open before stay so. Below the limit there is room for none of the pipes of a process, or for some.
  it.each(cases([8, 5, 11, 14]))(
    '%i below those in use, cannot be replaced, but as soon as there are more',
    async below => {
      const kms = gateway.client()
      const { KeyMetadata } = await kms.createKey({})
      const KeyId = KeyMetadata!.Arn!
      const [, limit] = /Max open files\s+(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/limits`, 'utf8'))!
      const highest = Math.max(...openDescriptors().filter(descriptor => descriptor < 200))
      limitDescriptors(highest + 1 - below)
      for (const pid of gateway.workers()) process.kill(pid, 'SIGKILL')
      await gateway.logged(({ event }) => event === 'worker_start_failed')
      await expect(kms.encrypt({ KeyId, Plaintext })).rejects.toMatchObject({ name: 'KeyUnavailableException' })
      limitDescriptors(Number(limit))
      await vi.waitUntil(() => kms.encrypt({ KeyId, Plaintext }).then(Boolean, () => false), patient)
    },
  )

  function openDescriptors(): number[] {
    return readdirSync(`/proc/${gateway.pid}/fd`).map(Number)
  }

  function limitDescriptors(soft: number): void {
    execFileSync('prlimit', ['--pid', String(gateway.pid), `--nofile=${soft}:`])
  }
})
