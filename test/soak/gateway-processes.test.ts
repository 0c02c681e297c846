import { Agent } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Gateway, home, type Installation, install, serve, type WrittenConfig } from '../end-to-end/gateway.ts'
import { KmsClient } from '../fleet/client.ts'
import { Fleet } from '../fleet/fleet.ts'
import { postgresql } from '../postgresql.ts'

/** Several gateway processes that are killed and replaced for minutes, under load. `STRONGROOM_SOAK_MINUTES`: default 1. */

const minutes = Number(process.env.STRONGROOM_SOAK_MINUTES ?? 1)
const Plaintext = Buffer.from('a plaintext')

let installation: Installation
let gateway: Gateway
let KeyId: string

beforeAll(async () => {
  installation = await install()
  installation.configure(config => (config.processes = 2))
  gateway = await serve(installation)
  const { KeyMetadata } = await gateway.client().createKey({})
  KeyId = KeyMetadata!.Arn!
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

/** Clients that encrypt and decrypt without pause, half of them on new connections; resolves to the errors of calls once they are ended. */
function load(clients: number) {
  const errors: unknown[] = []
  let calls = 0
  let isOver = false
  const running = Promise.all(
    Array.from({ length: clients }, async (_, index) => {
      const httpAgent = new Agent({ keepAlive: index % 2 === 0 })
      const kms = gateway.client({ requestHandler: { httpAgent } })
      while (!isOver) {
        try {
          const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext })
          const decrypted = await kms.decrypt({ CiphertextBlob })
          expect(Buffer.from(decrypted.Plaintext!)).toEqual(Plaintext)
          calls += 2
        } catch (error) {
          errors.push(error)
        }
      }
    }),
  )
  return {
    async end() {
      isOver = true
      await running
      return { errors, calls }
    },
  }
}

it('no call fails while the processes are replaced again and again', { timeout: minutes * 120_000 }, async () => {
  const loaded = load(8)
  const until = Date.now() + minutes * 30_000
  while (Date.now() < until) {
    const before = gateway.workers()
    process.kill(gateway.pid, 'SIGHUP')
    const isOver = () => gateway.workers().length === 2 && gateway.workers().every(pid => !before.includes(pid))
    await vi.waitUntil(isOver, { timeout: 60_000, interval: 100 })
  }
  const { errors, calls } = await loaded.end()
  expect(errors).toEqual([])
  expect(calls).toBeGreaterThan(100)
})

it('only the calls of a process that is killed fail', { timeout: minutes * 120_000 }, async () => {
  const clients = 8
  const loaded = load(clients)
  const until = Date.now() + minutes * 30_000
  let kills = 0
  while (Date.now() < until) {
    const [killed, other] = gateway.workers()
    process.kill(killed!, 'SIGKILL')
    kills++
    const isBack = () => gateway.workers().length === 2 && !gateway.workers().includes(killed!)
    await vi.waitUntil(isBack, { timeout: 60_000, interval: 100 })
    expect(gateway.workers()).toContain(other)
    await delay(3000)
  }
  const { errors } = await loaded.end()
  // Each client has one call in progress.
  expect(errors.length).toBeLessThanOrEqual(kills * clients)
  for (const error of errors) expect(error).toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) })
})

it('two gateways of two processes each, on one PostgreSQL, use and refuse keys as one', {
  timeout: 120_000,
}, async () => {
  const options = {
    server: await postgresql(),
    gateways: 2,
    configure: (config: WrittenConfig) => (config.processes = 2),
  }
  await using fleet = await Fleet.start(options)
  const urls = fleet.members.map(({ url }) => url)
  // Each with a connection of its own to each gateway, whose kernel chooses the process.
  const clients = Array.from({ length: 6 }, () => new KmsClient(fleet.members[0]!.installation.credentials[home]!))
  const everywhere = (KeyId: string) => {
    const input = { KeyId, Plaintext: Plaintext.toString('base64') }
    return Promise.all(
      clients.flatMap(client => urls.map(async url => (await client.call(url, 'Encrypt', input)).code)),
    )
  }
  for (const [round, client] of clients.entries()) {
    const url = urls[round % urls.length]!
    const { KeyMetadata } = await client.expect(url, 'CreateKey', {})
    const KeyId = (KeyMetadata as { KeyId: string }).KeyId
    expect(new Set(await everywhere(KeyId))).toEqual(new Set([undefined]))
    await client.expect(url, 'DisableKey', { KeyId })
    expect(new Set(await everywhere(KeyId))).toEqual(new Set(['DisabledException']))
  }
  const members = await fleet.members[0]!.administer(administer =>
    administer<{ gateways: { gateway: string }[] }>('ListGateways', {}),
  )
  expect(members.gateways.map(({ gateway }) => gateway)).toEqual([
    'gateway-1',
    'gateway-1-2',
    'gateway-2',
    'gateway-2-2',
  ])
  for (const client of clients) client.close()
})
