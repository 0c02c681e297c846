import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import {
  type AddressInfo,
  createServer as createTcpServer,
  type LookupFunction,
  type Server,
  type Socket,
} from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasOpenssl, makeClientCertificate } from '../server/certificates.ts'
import { clientOf, rejection } from './fixture.ts'
import { health, startTestProxy, type TestProxy } from './test-proxy.ts'

/** What is behind an address where a proxy should be. */
interface Place {
  readonly address: string
  close(): void
}

const { signal } = new AbortController()
const text = (status: string, headers: string, body = '') => `HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`
const json = 'content-type: application/json'

describe.skipIf(!hasOpenssl)('a proxy that does not answer as it should', () => {
  let real: TestProxy
  const places: Place[] = []

  beforeAll(async () => {
    real = await startTestProxy()
  })
  afterAll(async () => {
    for (const place of places) place.close()
    await real?.close()
  })

  async function listen(server: Server): Promise<Place> {
    const sockets = new Set<Socket>()
    server.on('connection', socket => void sockets.add(socket.on('error', () => {})))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const place = {
      address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      close() {
        server.close()
        for (const socket of sockets) socket.destroy()
      },
    }
    places.push(place)
    return place
  }

  /** Over TLS, with the certificate of the real proxy; answers the first bytes of each connection. */
  const answering = (answer: (socket: Socket) => void, options = {}) => {
    const { certificateFile, keyFile } = real.files
    const tls = { cert: readFileSync(certificateFile), key: readFileSync(keyFile), ...options }
    const server = createTlsServer(tls, socket => {
      socket.on('error', () => {})
      socket.once('data', () => answer(socket))
    })
    server.on('tlsClientError', () => {})
    return listen(server)
  }

  /** The ConnectionErrorCode of a store there, and what cryptography answers. */
  async function outcome({ address }: Pick<Place, 'address'>, timeout = 20_000, files = real.files) {
    const client = clientOf({ address, files }, { timeout })
    const thrown = (await rejection(client.proxies.connect(client.store, signal))) as { code: string }
    const failure = (await rejection(client.encrypt())) as { code: string }
    await client.proxies.close()
    return [thrown.code, failure.code]
  }

  it.each<[string, string]>([
    ['garbage', '\x16\x03\x01 no HTTP'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a body longer than it may be', text('200 OK', `${json}\r\ncontent-length: 1000000000`)],
    ['two lengths', text('200 OK', `${json}\r\ncontent-length: 2\r\ncontent-length: 3`, '{}')],
    ['headers without end', `HTTP/1.1 200 OK\r\n${'x-padding: 0123456789\r\n'.repeat(2000)}`],
    ['a redirect', text('307 Temporary Redirect', 'location: https://localhost/\r\ncontent-length: 0')],
    [
      '100 Continue, for which nobody asked',
      text('100 Continue', 'x: y', text('200 OK', `${json}\r\ncontent-length: 2`, '{}')),
    ],
    ['another content type', text('200 OK', 'content-type: text/html\r\ncontent-length: 2', '{}')],
    ['a compressed body', text('200 OK', `${json}\r\ncontent-encoding: gzip\r\ncontent-length: 2`, '\x1f\x8b')],
    ['deep JSON', text('200 OK', `${json}\r\ncontent-length: 20000`, '['.repeat(20_000))],
    ['HTTP/1.0 with a body that is not JSON', 'HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\nnothing'],
  ])('is XKS_PROXY_INVALID_RESPONSE with %s', async (_title, answer) => {
    const place = await answering(socket => socket.end(answer, 'latin1'))
    expect(await outcome(place)).toEqual(['XKS_PROXY_INVALID_RESPONSE', 'InvalidState'])
  })

  it('is understood over HTTP/1.0, whose bodies end with the connection', async () => {
    const body = JSON.stringify(health)
    const place = await answering(socket => socket.end(`HTTP/1.0 200 OK\r\n${json}\r\n\r\n${body}`))
    const client = clientOf({ address: place.address, files: real.files })
    await client.proxies.connect(client.store, signal)
    await client.proxies.poll()
    expect(client.calls.map(({ outcome }) => outcome)).toEqual(['success', 'success'])
    await client.proxies.close()
  })

  it('is XKS_PROXY_INVALID_RESPONSE with chunks for ever', async () => {
    const place = await answering(async socket => {
      socket.write(text('200 OK', `${json}\r\ntransfer-encoding: chunked`))
      while (!socket.destroyed) {
        socket.write(`400\r\n${' '.repeat(1024)}\r\n`)
        await delay(0)
      }
    })
    expect(await outcome(place)).toEqual(['XKS_PROXY_INVALID_RESPONSE', 'InvalidState'])
  })

  it('is XKS_PROXY_NOT_REACHABLE if nobody listens, or every connection ends', async () => {
    const gone = await listen(createTcpServer())
    gone.close()
    const ending = await answering(socket => socket.destroy())
    const cut = await answering(socket => socket.end(text('200 OK', `${json}\r\ncontent-length: 100`, '{')))
    for (const place of [gone, ending, cut])
      expect(await outcome(place)).toEqual(['XKS_PROXY_NOT_REACHABLE', 'InvalidState'])
  })

  it('is XKS_PROXY_NOT_REACHABLE if connections are accepted, and nothing more', async () => {
    expect(await outcome(await listen(createTcpServer(() => {})), 50)).toEqual([
      'XKS_PROXY_NOT_REACHABLE',
      'InvalidState',
    ])
  })

  it('is XKS_PROXY_TIMED_OUT after a time-out and a repetition if it answers too late, or not all', async () => {
    const answers = [
      () => {},
      (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\n'),
      (socket: Socket) => void socket.write(text('200 OK', `${json}\r\ncontent-length: 100`, '{')),
      (socket: Socket) =>
        void setTimeout(() => socket.end(text('200 OK', `${json}\r\ncontent-length: 2`, '{}')), 1.2 * timeout),
    ]
    const timeout = 1000
    const outcomes = answers.map(async answer => {
      let count = 0
      const place = await answering(socket => {
        count++
        answer(socket)
      })
      return [...(await outcome(place, timeout)), count]
    })
    for (const found of await Promise.all(outcomes)) expect(found).toEqual(['XKS_PROXY_TIMED_OUT', 'InvalidState', 4])
  })

  it.each<[string, object]>([
    ['of another authority', {}],
    ['that is too old for TLS 1.2', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }],
  ])('is XKS_PROXY_INVALID_TLS_CONFIGURATION with TLS %s', async (title, options) => {
    const other = await startTestProxy()
    const place = await answering(socket => socket.end(text('200 OK', `${json}\r\ncontent-length: 2`, '{}')), options)
    const files = title === 'of another authority' ? other.files : real.files
    expect(await outcome(place, 20_000, files)).toEqual(['XKS_PROXY_INVALID_TLS_CONFIGURATION', 'InvalidState'])
    await other.close()
  })

  it('is XKS_PROXY_INVALID_TLS_CONFIGURATION with the certificate of another host', async () => {
    const { address, files } = real
    const client = clientOf(real, { settings: { 'xks.example.com': { address, caFile: files.certificateFile } } })
    const xks = { ...client.store.xks!, uriEndpoint: 'https://XKS.example.com' }
    expect(await rejection(client.proxies.connect({ ...client.store, xks }, signal))).toMatchObject({
      code: 'XKS_PROXY_INVALID_TLS_CONFIGURATION',
    })
  })

  it.each(['absent.pem', '/etc/passwd'])(
    'is XKS_PROXY_INVALID_TLS_CONFIGURATION with the unusable file %s',
    async caFile => {
      const { address } = real
      const settings = { localhost: { address, caFile, certificateFile: caFile, keyFile: caFile } }
      const client = clientOf(real, { settings })
      expect(await rejection(client.proxies.connect(client.store, signal))).toMatchObject({
        code: 'XKS_PROXY_INVALID_TLS_CONFIGURATION',
      })
      expect(client.logged).toMatchObject([{ event: 'xks_proxy_settings_invalid', host: 'localhost' }])
      expect(await rejection(client.encrypt())).toMatchObject({ code: 'InvalidState' })
    },
  )

  it('is reached where the configuration says, whatever addresses that has, with a certificate of the host', async () => {
    const port = real.address.split(':')[1]
    const settings = (host: string) => ({
      [host]: { address: `inside.test:${port}`, caFile: real.files.certificateFile },
    })
    const lookup: LookupFunction = (host, _options, callback) =>
      callback(null, host === 'inside.test' ? [{ address: '127.0.0.1', family: 4 }] : [])
    const client = clientOf(real, { lookup, settings: settings('localhost') })
    await client.encrypt()
    await client.proxies.close()
    const byAddress = clientOf(real, { lookup, settings: settings('10.0.0.1') })
    const xks = { ...byAddress.store.xks!, uriEndpoint: 'https://10.0.0.1' }
    expect(await rejection(byAddress.proxies.connect({ ...byAddress.store, xks }, signal))).toMatchObject({
      code: 'XKS_PROXY_INVALID_TLS_CONFIGURATION',
    })
  })

  it('gets the client certificate of the configuration, as it is when the store is connected', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'client-certificate-'))
    const files = (name: string) => ({
      certificateFile: join(folder, `${name}.crt`),
      keyFile: join(folder, `${name}.key`),
    })
    const [authority, known] = [files('authority'), files('known')]
    makeClientCertificate(authority, known, 'gateway')
    const ca = readFileSync(authority.certificateFile)
    const body = JSON.stringify(health)
    const place = await answering(
      socket => socket.end(text('200 OK', `${json}\r\ncontent-length: ${body.length}`, body)),
      { requestCert: true, rejectUnauthorized: true, ca },
    )
    const used = files('used')
    const settings = { localhost: { address: place.address, caFile: real.files.certificateFile, ...used } }
    const client = clientOf(real, { settings })
    const use = ({ certificateFile, keyFile }: typeof used) => {
      copyFileSync(certificateFile, used.certificateFile)
      copyFileSync(keyFile, used.keyFile)
    }
    use(real.files)
    expect(await rejection(client.proxies.connect(client.store, signal))).toBeDefined()
    use(known)
    await client.proxies.connect(client.store, signal)
    await client.proxies.close()
    rmSync(folder, { recursive: true })
  })

  it('never crashes the client, whatever it answers', async () => {
    let next: string | Uint8Array = ''
    const place = await answering(socket => socket.end(next))
    const client = clientOf({ address: place.address, files: real.files })
    const body = fc.oneof(
      fc.json(),
      fc.json().map(text => text.slice(1)),
      fc
        .record(
          Object.fromEntries(
            ['ciphertext', 'initializationVector', 'authenticationTag', 'ciphertextMetadata', 'plaintext'].map(name => [
              name,
              fc.anything(),
            ]),
          ),
        )
        .map(value => JSON.stringify(value)),
    )
    const answer = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 100 }),
      fc
        .tuple(fc.integer({ min: 100, max: 999 }), body)
        .map(([status, body]) => text(`${status} X`, `${json}\r\ncontent-length: ${Buffer.byteLength(body)}`, body)),
    )
    await fc.assert(
      fc.asyncProperty(answer, async answer => {
        next = answer
        client.time += 1000
        expect(await rejection(client.encrypt())).toMatchObject({ code: 'InvalidState' })
      }),
      { numRuns: 60 },
    )
    await client.proxies.close()
  })

  it('fails calls at once after 5 failures, until it works again: without a new client', async () => {
    const { address, files } = real
    const client = clientOf(real)
    await client.encrypt()
    const pem = { certificate: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) }
    await real.close()
    for (let count = 0; count < 5; count++)
      expect(await rejection(client.encrypt())).toMatchObject({ code: 'InvalidState' })
    expect(client.proxies.states).toMatchObject([{ store: client.store.id, breaker: 'open' }])
    expect(client.logged.at(-1)).toMatchObject({ event: 'xks_proxy_unavailable', reason: 'unreachable' })
    expect(await rejection(client.encrypt())).toMatchObject({
      code: 'InvalidState',
      message: expect.stringContaining('AWS KMS cannot communicate'),
    })
    expect(client.calls.at(-1)).toMatchObject({ operation: 'encrypt', outcome: 'circuitOpen' })
    real = await startTestProxy(Number(address.split(':')[1]), pem)
    client.time += 1000
    await client.encrypt()
    expect(client.logged.at(-1)).toMatchObject({ event: 'xks_proxy_available' })
    expect(client.proxies.states).toMatchObject([{ breaker: 'closed' }])
    await client.proxies.close()
  })

  it('has a limited number of calls at a time, and delays no call to another proxy', async () => {
    let held: (() => void)[] = []
    real.change = (answer, _request, response) => {
      held.push(() =>
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body)),
      )
      return undefined
    }
    const [slow, other] = [clientOf(real), await startTestProxy()]
    const calls = Array.from({ length: 8 }, () => slow.encrypt())
    const settled = Promise.all(calls)
    // Until each of the calls above has begun.
    while (held.length === 0) await delay(5)
    expect(await rejection(slow.encrypt())).toMatchObject({ code: 'Throttling' })
    expect(slow.calls).toMatchObject([{ outcome: 'tooManyCalls' }])
    const client = clientOf(other)
    await client.encrypt()
    const release = setInterval(() => {
      for (const answer of held) answer()
      held = []
    }, 5)
    await settled
    clearInterval(release)
    real.change = answer => answer
    await slow.encrypt()
    for (const each of [slow, client]) await each.proxies.close()
    await other.close()
  })
})
