/** A tenant that sends the worst bodies there are, legal and illegal, beside 32 good callers: ratios of one run, and a quiet machine. */
import { Agent, request as httpRequest } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { schema } from '../../src/config.ts'
import { worstBodies } from '../apis/kms/worst-bodies.ts'
import { type Gateway, home, type Installation, install, serve } from '../end-to-end/gateway.ts'
import { answerTo, type Signed, signed } from '../end-to-end/requests.ts'
import { Clients } from './clients.ts'
import { SeededRandom } from './seeded-random.ts'

const tenant = '444455556666'
const second = 1000
const rounds = 4
/** Of the 1600 that there are, so many are signed before: a signature is good for five minutes. */
const share = 1 / 12

let installation: Installation
let gateway: Gateway

beforeAll(async () => {
  installation = await install({ accounts: [home, tenant], workers: 2 })
  gateway = await serve(installation)
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

it('32 callers keep 80% of their rate, and no worker is replaced', async () => {
  const kms = gateway.client()
  const create = async (spec: object) => (await kms.createKey(spec)).KeyMetadata!.KeyId!
  const keys = {
    aes: await create({}),
    ec: await create({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
    hmac: await create({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
  }
  const hostile = new HostileTenant(await requests())
  const clients = new Clients(kms, keys, new SeededRandom(1))
  await clients.warm(5 * second)
  const workers = gateway.startedWorkers().size
  let [alone, beside] = [0, 0]
  for (let round = 0; round < rounds; round++) {
    alone += await answeredWithin(4 * second, clients)
    hostile.start()
    beside += await answeredWithin(4 * second, clients)
    await hostile.stop()
  }
  await clients.end()
  console.log({ alone, beside, ratio: beside / alone, hostile: hostile.answers })
  expect(beside / alone).toBeGreaterThan(0.8)
  expect(clients.wrong).toEqual([])
  expect(gateway.startedWorkers().size).toBe(workers)
  expect(gateway.complaints()).toEqual([])
})

async function answeredWithin(milliseconds: number, { answered }: Clients): Promise<number> {
  const sum = () => Object.values(answered).reduce((total, count) => total + count, 0)
  const before = sum()
  await delay(milliseconds)
  return sum() - before
}

/** Illegal ones from the model, and legal ones as large as can be, on a key of the tenant. */
async function requests(): Promise<Signed[]> {
  const kms = gateway.client({ account: tenant })
  const { KeyId } = (await kms.createKey({})).KeyMetadata!
  const { maxBodySize } = schema.parse({ storage: { file: '' }, audit: { file: '' }, hsms: {}, regions: {} }).listen
  const short = (count: number) => Array.from({ length: count }, (_, index) => index.toString(36))
  const principal = { AWS: `arn:aws:iam::${tenant}:root` }
  const statement = { Effect: 'Allow', Principal: principal, Action: 'kms:*', Resource: '*' }
  const patterns = { ...statement, Action: short(5000).map(text => `*${text}`) }
  const legal: readonly (readonly [string, object])[] = [
    ['Encrypt', { EncryptionContext: Object.fromEntries(short(700).map(text => [text, ''])), Plaintext: 'AAAA' }],
    ['Encrypt', { EncryptionContext: { k: 'v'.repeat(8000) }, Plaintext: Buffer.alloc(4096).toString('base64') }],
    ['PutKeyPolicy', { Policy: JSON.stringify({ Version: '2012-10-17', Statement: [statement, patterns] }) }],
    ['TagResource', { Tags: short(50).map(text => ({ TagKey: text.padEnd(128, 'k'), TagValue: 'v'.repeat(256) })) }],
    ['UpdateKeyDescription', { Description: 'ü'.repeat(8192) }],
    ['DescribeKey', {}],
  ]
  const illegal = [...worstBodies(maxBodySize)].filter((_, index) => index % Math.round(1 / share) === 0)
  const credentials = installation.credentials[tenant]!
  const sign = (target: string, body: unknown) => signed({ url: gateway.url, credentials, target, body })
  const all: Signed[] = []
  for (const { operation, body } of illegal) all.push(await sign(operation, body))
  for (const [operation, input] of legal) all.push(await sign(operation, { KeyId, ...input }))
  return all
}

/** Sends one request after another, without pause, on one connection. */
class HostileTenant {
  answers = 0
  readonly #requests: readonly Signed[]
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  #sending: Promise<void> | undefined
  #ended = false

  constructor(all: readonly Signed[]) {
    this.#requests = all
  }

  start(): void {
    this.#ended = false
    this.#sending = this.#send()
  }

  async stop(): Promise<void> {
    this.#ended = true
    await this.#sending
  }

  async #send(): Promise<void> {
    while (!this.#ended) {
      const { method, path, headers, body } = this.#requests[this.answers++ % this.#requests.length]!
      await answerTo(httpRequest(gateway.url, { method, path, headers, agent: this.#agent }).end(body)).catch(() => {})
    }
  }
}
