import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { hasOpenssl, makeCertificate } from '../server/certificates.ts'
import { answersIn, everythingFrom, open } from '../server/raw-requests.ts'
import { cases } from '../thorough.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { signed } from './requests.ts'

/** The cost of connections for a running gateway, before and after authentication, and its shutdown despite them. */

let installation: Installation
let gateway: Gateway
const sockets: Socket[] = []
/** The answer to a client that does not finish the headers, after ten seconds. */
let slow: Promise<Buffer>

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  const socket = await open(gateway.url)
  slow = everythingFrom(socket)
  socket.write('POST / HTTP/1.1\r\nhost: x\r\n')
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  // A refused one stays for up to two seconds. With those of the next test they could be more than the gateway has room for.
  await vi.waitUntil(async () => (await openConnections()) < 10, { timeout: 10_000, interval: 100 })
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

/** A connection that is read by the test only. */
async function opened(url = gateway.url): Promise<Socket> {
  const socket = await open(url)
  sockets.push(socket)
  return socket
}

async function openConnections(): Promise<number> {
  const metrics = await (await fetch(`${gateway.metricsUrl}/metrics`)).text()
  return Number(/^strongroom_open_connections (\d+)$/m.exec(metrics)![1])
}

/** MiB of memory that the gateway process holds. */
function memory(): number {
  const [, kibibytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${gateway.pid}/status`, 'latin1'))!
  return Number(kibibytes) / 1024
}

/** Headers that leave nothing but the signature in doubt. */
async function plausible(): Promise<string> {
  const { headers } = await signed({
    url: gateway.url,
    credentials: installation.credentials[home]!,
    body: '{"Limit":1}',
  })
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
}

const unsigned = async () => 'host: x\r\n'
const post = (lines: string) => `POST / HTTP/1.1\r\n${lines}\r\n`
const megabyte = Buffer.alloc(1024 * 1024, ' ')

describe('Hundreds of connections cost the gateway little memory, and other callers are served,', () => {
  it.each<readonly [string, () => Promise<string>, string, readonly (string | Buffer)[]]>(
    cases(
      [
        ['with a body that does not end', unsigned, 'content-length: 1048577\r\n', [megabyte]],
        ['with a body in chunks that do not end', unsigned, 'transfer-encoding: chunked\r\n', ['100001\r\n', megabyte]],
        [
          'with a body that does not end, after plausible headers',
          plausible,
          'content-length: 131000\r\n',
          [megabyte.subarray(0, 130_999)],
        ],
        [
          'with chunks that do not end, after plausible headers',
          plausible,
          'transfer-encoding: chunked\r\n',
          ['1fff0\r\n', megabyte.subarray(0, 100_000)],
        ],
        [
          'with chunks of one byte, after plausible headers',
          plausible,
          'transfer-encoding: chunked\r\n',
          ['1\r\n \r\n'.repeat(5000)],
        ],
        ['with headers that do not end', unsigned, `a: ${'x'.repeat(60_000)}`, []],
        ['with nothing at all', unsigned, '', []],
      ],
      2,
    ),
  )('%s', async (_, headers, more, body) => {
    const kms = gateway.client()
    await kms.listKeys({})
    const before = memory()
    const start = post((await headers()) + more)
    const isWhole = body.length > 0
    for (let count = 0; count < 400; count++) {
      const socket = await opened()
      socket.resume()
      if (more !== '') socket.write(isWhole ? start : start.slice(0, -2))
      for (const part of body) socket.write(part)
    }
    let most = memory()
    for (let round = 0; round < 10; round++) {
      await kms.listKeys({})
      await new Promise(resolve => setTimeout(resolve, 50))
      most = Math.max(most, memory())
    }
    // Bodies of 1 MiB in memory would be 400 MiB.
    expect(most - before).toBeLessThan(200)
  })
})

describe('a client that pipelines requests', () => {
  const ask = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'

  it('and reads gets all answers, while others are served', async () => {
    const socket = await opened()
    const everything = everythingFrom(socket)
    socket.end(ask.repeat(3000))
    await gateway.client().listKeys({})
    const answers = answersIn(await everything)
    expect(answers).toHaveLength(3000)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  })

  it('and does not read costs little, and others are served', async () => {
    const before = memory()
    for (let count = 0; count < 10; count++) (await opened()).pause().write(ask.repeat(20_000))
    const kms = gateway.client()
    for (let round = 0; round < 10; round++) await kms.listKeys({})
    expect(memory() - before).toBeLessThan(200)
  })
})

it('a client that does not finish the headers is refused and audited', async () => {
  const [answer, ...others] = answersIn(await slow)
  expect(others).toEqual([])
  expect(answer).toMatchObject({ status: 408, body: expect.stringContaining('RequestTimeoutException') })
  const id = answer!.headers['x-amzn-requestid']
  expect(gateway.records().find(({ requestID }) => requestID === id)).toMatchObject({
    errorCode: 'RequestTimeoutException',
  })
})

describe.each(cases(['https', 'http']))('SIGTERM over %s', scheme => {
  it('ends the gateway, whatever its clients are waiting for, and SIGHUP does not', { timeout: 90_000 }, async ctx => {
    ctx.skip(scheme === 'https' && !hasOpenssl, 'openssl is not installed: it makes the certificate')
    const files = {
      certificateFile: join(installation.folder, 'tls.crt'),
      keyFile: join(installation.folder, 'tls.key'),
    }
    if (scheme === 'https') makeCertificate(files)
    await gateway.stop()
    installation.configure(({ listen }) => {
      if (scheme === 'https') listen.tls = files
    })
    const ending = await serve(installation)
    gateway = ending
    process.kill(ending.pid, 'SIGHUP')
    if (scheme === 'https') await ending.logged(({ event }) => event === 'tls_reloaded')
    const partly = async (bytes: string, url = ending.url) => (await opened(url)).pause().write(bytes)
    await partly('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(30_000))
    await partly('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(30_000))
    await partly('POST / HTT')
    await partly(`POST / HTTP/1.1\r\n${await plausible()}content-length: 11\r\n\r\n{"Limi`)
    await partly(`POST / HTTP/1.1\r\n${await plausible()}expect: 100-continue\r\ncontent-length: 11\r\n\r\n`)
    await partly('')
    await partly('', ending.metricsUrl)
    await partly('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2000), ending.metricsUrl)
    const { hostname, port } = new URL(ending.url)
    // For TLS, a handshake that never begins.
    sockets.push(connect(Number(port), hostname).on('error', () => {}))
    await new Promise(resolve => setTimeout(resolve, 500))
    const asked = performance.now()
    expect(await ending.stop()).toBe(0)
    expect(performance.now() - asked).toBeLessThan(40_000)
    expect(ending.complaints()).toEqual([])
    gateway = await serve(installation)
  })
})
