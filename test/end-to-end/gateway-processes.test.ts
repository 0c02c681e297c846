import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { withAdministration } from '../../src/cli/administration.ts'
import type { ShownGateway } from '../../src/operations/administration/list-gateways.ts'
import { type Gateway, type Installation, install, serve, strongroom, type WrittenConfig } from './gateway.ts'
import { send } from './requests.ts'

/** Several gateway processes behind one port. */

const administrator = {
  STRONGROOM_ADMIN_ACCESS_KEY_ID: 'AKIA111122223333TEST',
  STRONGROOM_ADMIN_SECRET_ACCESS_KEY: 'not-a-secret-of-the-environment',
}
const patient = { timeout: 20_000, interval: 50 }

let installation: Installation
let gateway: Gateway

beforeAll(async () => {
  installation = await install()
  installation.configure(config => {
    config.gateway = 'gw'
    config.processes = 2
    config.hsms.softhsm!.workers = 1
  })
  gateway = await serve(installation, { environment: administrator })
})
afterAll(async () => {
  await gateway?.kill()
  installation?.remove()
})

const metrics = async () => (await send(`${gateway.metricsUrl}/metrics`, {})).body
const ready = async () => Number(/^strongroom_processes\{state="ready"\} (\d+)$/m.exec(await metrics())![1])
const event = (name: string) => gateway.logged(fields => fields.event === name)
const isAlive = (pid: number) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

const childrenOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)

/** Sends requests, half of them on new connections, until it is ended; resolves to how many were answered, and how others ended. */
function load() {
  const outcomes = { answered: 0, failed: [] as unknown[] }
  let isOver = false
  const request = (agent: Agent) =>
    new Promise<void>(resolve => {
      const failed = (error: unknown) => {
        outcomes.failed.push(error)
        resolve()
      }
      // An answer that never comes is a failure, too.
      get(`${gateway.url}/healthz`, { agent, timeout: 15_000 }, response => {
        if (response.statusCode === 200) outcomes.answered++
        else outcomes.failed.push(response.statusCode)
        response.resume().on('close', resolve).on('error', failed)
      })
        .on('timeout', () => failed('no answer'))
        .on('error', failed)
    })
  const running = Promise.all(
    [true, false, true, false].map(async keepAlive => {
      const agent = new Agent({ keepAlive })
      while (!isOver) {
        await request(agent)
        await delay(2)
      }
      agent.destroy()
    }),
  )
  return {
    async end() {
      isOver = true
      await running
      return outcomes
    },
  }
}

it('serve behind one port, and their metrics behind another, each series with the label of its gateway', async () => {
  expect(gateway.workers()).toHaveLength(2)
  const text = await metrics()
  for (const name of ['gw', 'gw-2']) {
    expect(text).toContain(`strongroom_hsm_workers{hsm="softhsm",gateway="${name}"} 1\n`)
    expect(text).toContain(`strongroom_process_restarts_total{gateway="${name}"} 0\n`)
  }
  expect(text).toContain('strongroom_processes{state="ready"} 2\n')
  const helps = text.split('\n').filter(line => line.startsWith('# HELP'))
  expect(new Set(helps).size).toBe(helps.length)
})

it('show no secret to other users of the machine, and dump no core', () => {
  const pids = [gateway.pid, ...gateway.workers(), ...gateway.workers().flatMap(childrenOf)]
  expect(pids).toHaveLength(5)
  const pin = readFileSync(`${installation.folder}/pin`, 'utf8').trim()
  for (const pid of pids) {
    const shown = ['environ', 'cmdline'].map(file => readFileSync(`/proc/${pid}/${file}`, 'utf8')).join()
    expect(shown).not.toContain('STRONGROOM_ADMIN')
    expect(shown).not.toContain(pin)
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +[01] +[01] /m)
  }
})

it('have the small young generation of a gateway', () => {
  for (const pid of [gateway.pid, ...gateway.workers()])
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('\0--max-semi-space-size=8\0')
})

it('use a key as soon as another one has created it, and no longer once it is disabled', async () => {
  const clients = Array.from({ length: 8 }, () => gateway.client())
  for (const kms of clients.slice(0, 4)) {
    const { KeyMetadata } = await kms.createKey({})
    const KeyId = KeyMetadata!.Arn!
    const use = () =>
      Promise.allSettled(clients.map(client => client.encrypt({ KeyId, Plaintext: Buffer.from('text') })))
    for (const outcome of await use()) expect(outcome).toMatchObject({ status: 'fulfilled' })
    await kms.disableKey({ KeyId })
    for (const outcome of await use()) expect(outcome).toMatchObject({ reason: { name: 'DisabledException' } })
  }
})

it('each keep an audit journal', async () => {
  // The kernel chooses the process of a connection.
  await vi.waitFor(async () => {
    const clients = Array.from({ length: 8 }, () => gateway.client())
    await Promise.all(clients.map(client => client.generateRandom({ NumberOfBytes: 8 })))
    for (const journal of ['audit.jsonl', 'audit-2.jsonl'])
      expect(readFileSync(`${installation.folder}/${journal}`, 'utf8')).toContain('"eventName":"GenerateRandom"')
  }, patient)
})

it('serve the administration API on one socket, which only its owner can use', async () => {
  const answer = await withAdministration({ data: installation.folder }, call => call<object>('ListAccounts', {}))
  expect(answer).toMatchObject({ accounts: [expect.anything()] })
})

it('show each change, and refuse what is revoked, once it is answered', async () => {
  // Each has a connection of its own, to one process or the other.
  const clients = Array.from({ length: 8 }, () => gateway.client())
  const [first] = clients
  const { KeyMetadata } = await first!.createKey({})
  const KeyId = KeyMetadata!.KeyId!
  const described = await Promise.all(clients.map(client => client.describeKey({ KeyId })))
  expect(described.map(({ KeyMetadata }) => KeyMetadata!.KeyState)).toEqual(clients.map(() => 'Enabled'))
  for (const [index, client] of clients.entries()) {
    await client.disableKey({ KeyId })
    const uses = clients.map(client => client.encrypt({ KeyId, Plaintext: Buffer.from('x') }))
    const refused = (await Promise.allSettled(uses)).map(use => use.status === 'rejected' && use.reason.name)
    expect(refused).toEqual(clients.map(() => 'DisabledException'))
    const lists = clients.map(client => client.listKeys({}))
    for (const { Keys } of await Promise.all(lists)) expect(Keys!.map(key => key.KeyId)).toContain(KeyId)
    await clients[(index + 1) % clients.length]!.enableKey({ KeyId })
    await Promise.all(clients.map(client => client.encrypt({ KeyId, Plaintext: Buffer.from('x') })))
  }
})

it('are listed with their leases and HSMs', async () => {
  const fleet = (...args: string[]) => strongroom(['fleet', ...args, '--data', installation.folder])
  const list = async () => JSON.parse((await fleet('list', '--json')).stdout) as ShownGateway[]
  const ready = { hsms: { softhsm: 'ready' }, host: hostname() }
  // What a gateway says of itself comes with the next renewal.
  await vi.waitFor(
    async () => expect(await list()).toMatchObject(['gw', 'gw-2'].map(gateway => ({ gateway, ...ready }))),
    patient,
  )
  const shown = await list()
  expect(shown.filter(({ isThis }) => isThis)).toHaveLength(1)
  for (const { leaseLeft } of shown) expect(leaseLeft).toBeGreaterThan(0)
  expect((await fleet()).stdout).toMatch(/^GATEWAY .*\ngw .* softhsm: ready\ngw-2 .* softhsm: ready\n$/)
  expect((await fleet('remove', 'gw-3')).stderr).toContain('there is no gateway gw-3')
})

it('are started again when they are killed, while the others answer', async () => {
  const [killed] = gateway.workers()
  const kms = gateway.client()
  const loaded = load()
  process.kill(killed!, 'SIGKILL')
  await event('process_restarted')
  const { answered, failed } = await loaded.end()
  expect(answered).toBeGreaterThan(10)
  // At most the requests that the killed process had at that moment.
  expect(failed.length).toBeLessThanOrEqual(4)
  expect(gateway.workers()).not.toContain(killed)
  expect(await ready()).toBe(2)
  await kms.generateRandom({ NumberOfBytes: 8 })
})

describe('on SIGHUP', () => {
  it.each<readonly [string, (config: WrittenConfig) => unknown, string]>([
    ['is wrong', config => (config.processes = 'many'), 'processes: use auto, or a whole number from 1 to 64'],
    ['has another port', config => (config.metrics = { port: 1 }), 'metrics has changed: restart the gateway'],
    ['has one process', config => (config.processes = 1), 'processes has changed: restart the gateway'],
  ])('go on as they are, if the configuration %s', async (_what, change, reason) => {
    const before = gateway.workers()
    const file = `${installation.folder}/strongroom.yaml`
    const text = readFileSync(file, 'utf8')
    installation.configure(change)
    process.kill(gateway.pid, 'SIGHUP')
    await gateway.logged(fields => fields.event === 'roll_failed' && String(fields.reason).endsWith(reason))
    writeFileSync(file, text)
    expect(gateway.workers()).toEqual(before)
  })

  it('are replaced one after another, and no connection is refused or reset', async () => {
    const before = gateway.workers()
    installation.configure(config => (config.log = { level: 'warn' }))
    const loaded = load()
    process.kill(gateway.pid, 'SIGHUP')
    await event('roll_ended')
    const { answered, failed } = await loaded.end()
    expect(failed).toEqual([])
    expect(answered).toBeGreaterThan(20)
    expect(gateway.workers().filter(pid => before.includes(pid))).toEqual([])
    expect(await ready()).toBe(2)
  })
})

it('end when the supervisor is killed', async () => {
  const processes = gateway.workers()
  expect(processes).toHaveLength(2)
  await gateway.kill()
  await vi.waitUntil(() => !processes.some(isAlive), patient)
})

it('do not start with a wrong PIN, which one of them tries once', async () => {
  installation.configure(config => (config.hsms.softhsm!.pinFile = 'so-pin'))
  const { code, stdout, stderr } = await strongroom(['serve', '--data', installation.folder, '--port', '0'])
  const pinFile = `${installation.folder}/so-pin`
  expect({ code, stdout, stderr }).toEqual({
    code: 1,
    stdout: '',
    stderr: `strongroom: HSM softhsm: the token refused the PIN in ${pinFile} (CKR_PIN_INCORRECT): correct it and restart, it is not tried again\n`,
  })
  expect(readdirSync(installation.folder)).not.toContain('strongroom.sock')
})
