/** Gateways that lose their lease, are killed, or are removed. */
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { apis } from '../../src/apis/catalogue.ts'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { type PostgresqlServer, postgresql } from '../postgresql.ts'
import { Fleet, type Member } from './fleet.ts'

/** Longer than any test waits. */
const lease = 60

let server: PostgresqlServer
let fleet: Fleet
let one: Member
let two: Member
beforeAll(async () => {
  server = await postgresql()
  const xks = { listen: { port: 0 } }
  const configure = (config: Record<string, unknown>) => Object.assign(config, { xks })
  fleet = await Fleet.start({ server, gateways: 2, lease: `${lease}s`, clocks: true, configure })
  ;[one, two] = fleet.members as [Member, Member]
})
afterAll(async () => {
  await fleet?.stop()
  await fleet?.[Symbol.asyncDispose]()
  await fleet?.database.drop()
})

const call = (operation: OperationName, input: object, at = one) =>
  fleet.clients.administrator.expect(at.url, operation, input)

async function newKey(): Promise<string> {
  return ((await call('CreateKey', {})).KeyMetadata as { KeyId: string }).KeyId
}

interface Answer {
  readonly status: number
  readonly connection: string | undefined
  readonly body: string
}

function send(options: object, body: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const request = httpRequest({ method: 'POST', agent: false, ...options }, async response => {
    const text = Buffer.concat(await response.toArray()).toString()
    resolve({ status: response.statusCode!, connection: response.headers.connection, body: text })
  })
  request.on('error', reject).end(body)
  return promise
}

/** A request without a signature to each API: it is refused in any case. */
async function answers(at: Member): Promise<Record<string, Answer>> {
  const { hostname, port } = new URL(at.url)
  const { xksUrl } = await at.gateway.logged(({ event }) => event === 'gateway_started')
  const ofXks = new URL(xksUrl as string)
  const json = (target: string) => ({
    ...{ hostname, port },
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target },
  })
  const form = { hostname, port, headers: { 'content-type': 'application/x-www-form-urlencoded' } }
  const socketPath = join(at.installation.folder, 'strongroom.sock')
  const sent = {
    kms: send(json('TrentService.ListKeys'), '{}'),
    sts: send(form, 'Action=GetCallerIdentity&Version=2011-06-15'),
    cloudtrail: send(json('CloudTrail_20131101.LookupEvents'), '{}'),
    administration: send({ socketPath, path: '/ListAccounts' }, '{}'),
    xks: send({ hostname: ofXks.hostname, port: ofXks.port, path: '/kms/xks/v1/health' }, '{}'),
  }
  const all = Object.entries(sent).map(async ([api, answer]) => [api, await answer] as const)
  return Object.fromEntries(await Promise.all(all))
}

it('a gateway without a lease answers 503 in every API, and is not ready, until it has one again', async () => {
  const before = await answers(two)
  expect(Object.keys(before)).toEqual([...apis.map(({ service }) => service), 'administration', 'xks'])
  for (const [api, { status }] of Object.entries(before)) expect([api, status < 500]).toEqual([api, true])
  const refused = two.proxy.refuse()
  two.proxy.cut()
  await refused
  two.clock!.set(2 * lease)
  for (const [api, { status, connection, body }] of Object.entries(await answers(two))) {
    expect([api, status, connection]).toEqual([api, 503, 'close'])
    expect(body).toMatch(/DependencyTimeout|ServiceUnavailable/)
    expect(body).toContain('lost its lease')
  }
  await expect
    .poll(async () => {
      const answer = await fetch(`${two.url}/readyz`)
      return [answer.status, ((await answer.json()) as { parts: Record<string, string> }).parts.lease]
    })
    .toEqual([503, 'failing'])
  expect((await fetch(`${two.url}/healthz`)).status).toBe(200)
  await two.proxy.accept()
  await expect.poll(async () => (await answers(two)).kms!.status).toBe(before.kms!.status)
  for (const [api, { status }] of Object.entries(await answers(two)))
    expect([api, status]).toEqual([api, before[api]!.status])
  two.clock!.set(0)
  await expect.poll(async () => (await fetch(`${two.url}/readyz`)).status).toBe(200)
})

it('a gateway that runs is not removed, and serves on', async () => {
  const removal = one.administer(administer => administer('RemoveGateway', { gateway: two.name }))
  await expect(removal).rejects.toThrow(`${two.name} has just renewed its lease, so it runs: stop it instead`)
  await call('ListKeys', {}, two)
  expect(await fleet.database.sql('select name from gateways order by name')).toHaveLength(2)
})

it('the encryptions of a gateway that was killed are counted, all of them', async () => {
  const KeyId = await newKey()
  const count = 25
  await Promise.all(Array.from({ length: count }, () => call('Encrypt', { KeyId, Plaintext: 'AAAA' }, two)))
  await two.kill()
  await two.start()
  const [row] = await fleet.database.sql(
    `select count from encryption_counts join key_materials on material = id where key_arn like '%/${KeyId}'`,
  )
  expect(Number(row?.count)).toBeGreaterThanOrEqual(count)
})

it('nobody waits for a gateway that was killed any more once it is removed', async () => {
  const KeyId = await newKey()
  await two.kill()
  let isAnswered = false
  const disabled = call('DisableKey', { KeyId }).then(() => {
    isAnswered = true
  })
  await delay(500)
  expect(isAnswered).toBe(false)
  await one.administer(administer => administer('RemoveGateway', { gateway: two.name }))
  await disabled
  expect(await fleet.database.sql('select name from gateways')).toEqual([{ name: one.name }])
})
