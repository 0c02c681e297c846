import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Api, ApiRequest } from '../../src/apis/api.ts'
import { Failure } from '../../src/errors.ts'
import type { Readiness } from '../../src/readiness.ts'
import { serveMetrics } from '../../src/server/metrics.ts'
import { type RunningServer, serveApi } from '../../src/server/server.ts'
import type { PathServices } from '../../src/services.ts'
import { alone } from '../../src/storage/fleet/alone.ts'

/** The HTTP server alone: what it passes to the pipeline, and its shutdown. The API behind it answers on command. */

type WholeRequest = Omit<ApiRequest, 'body'> & { readonly body: Uint8Array }

/** Reads every request, and refuses it with its failure, or else with Throttling, as soon as it may. */
class PatientApi implements Api {
  readonly service = 'test'
  readonly actionPrefix = 'test:'
  readonly eventSource = 'test.example.com'
  readonly arrived: WholeRequest[] = []
  readonly #go = Promise.withResolvers<void>()
  #arrival = Promise.withResolvers<void>()

  async authenticate(request: ApiRequest): Promise<never> {
    this.arrived.push({ ...request, body: Buffer.from(await request.body()) })
    this.#arrival.resolve()
    await this.#go.promise
    throw new Failure('Throttling')
  }

  claims(): boolean {
    return true
  }

  operation(): never {
    throw new Error('nobody is authenticated')
  }

  input(): never {
    throw new Error('nobody is authenticated')
  }

  accept(): never {
    throw new Error('nobody is authenticated')
  }

  errorCode({ code }: Failure) {
    return code
  }

  refuse({ code, status }: Failure) {
    return { status, headers: { 'content-type': 'application/x-test' }, body: code }
  }

  answer(): void {
    this.#go.resolve()
  }

  async arrivals(count: number): Promise<void> {
    while (this.arrived.length < count) {
      await this.#arrival.promise
      this.#arrival = Promise.withResolvers()
    }
  }
}

const services = {
  authenticate: (request: ApiRequest) => api.authenticate(request),
  audit: { open: () => ({}), record: () => ({}) },
  outbox: { fail: async () => {} },
  storage: { fleet: alone },
  metrics: { started: () => () => {}, keyUseRefused() {} },
  log: { error() {}, warn() {}, info() {} },
} as unknown as PathServices

const limits = { maxBodySize: 2048, maxBodyMemory: 65_536, maxConnections: 100, cors: false }
let server: RunningServer
let api: PatientApi

async function start(readiness: () => Promise<Readiness> = async () => ({ ready: true, parts: {} })): Promise<void> {
  api = new PatientApi()
  server = await serveApi({ host: '127.0.0.1', port: 0, ...limits }, [api], services, readiness)
}

afterEach(() => server.close())

async function open(): Promise<Socket> {
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  return socket
}

async function post(body: string, path = '/'): Promise<{ status: number; body: string }> {
  const request = httpRequest(new URL(path, server.url), { method: 'POST', agent: false })
  request.end(body)
  const [response] = await once(request, 'response')
  const parts = (await response.toArray()) as Buffer[]
  return { status: response.statusCode, body: Buffer.concat(parts).toString() }
}

describe('a request', () => {
  it('reaches the pipeline with its raw bytes, whatever their content type', async () => {
    await start()
    api.answer()
    for (const type of ['application/json', 'text/plain', 'multipart/form-data', 'application/octet-stream']) {
      const request = httpRequest(`${server.url}/?a=b`, {
        method: 'POST',
        headers: { 'content-type': type, 'x-a': 'b' },
      })
      request.end(Buffer.from([0x7b, 0xff, 0x00]))
      const [response] = await once(request, 'response')
      response.resume()
      expect(api.arrived.pop()).toMatchObject({
        method: 'POST',
        url: '/?a=b',
        headers: { 'content-type': type, 'x-a': 'b' },
        body: Buffer.from([0x7b, 0xff, 0x00]),
        sourceAddress: '127.0.0.1',
      })
    }
  })

  it('is answered in one piece of known length', async () => {
    await start()
    api.answer()
    const { headers } = await fetch(server.url, { method: 'POST', body: '{}' })
    expect([headers.get('content-length'), headers.get('transfer-encoding')]).toEqual(['10', null])
  })

  it('reaches the pipeline whatever its path, unless its body is too long', async () => {
    await start()
    api.answer()
    expect(await post('x'.repeat(2048), '/anywhere')).toEqual({ status: 400, body: 'Throttling' })
    expect(await post('x'.repeat(2049))).toEqual({ status: 413, body: 'RequestEntityTooLarge' })
    expect(api.arrived.map(({ url }) => url)).toEqual(['/anywhere'])
  })
})

describe('a probe', () => {
  it('reports what is failing, with status 503', async () => {
    await start(async () => ({ ready: false, parts: { storage: 'failing' } }))
    const answer = await fetch(`${server.url}/readyz`)
    expect(answer.status).toBe(503)
    expect(await answer.json()).toEqual({ status: 'failing', parts: { storage: 'failing' } })
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  })
})

describe('a server that closes', () => {
  it('answers requests in flight, and accepts no new ones', async () => {
    await start()
    const answers = [post('1'), post('2')]
    await api.arrivals(2)
    const closed = server.close()
    await expect(post('3')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    api.answer()
    const expected = { status: 400, body: 'Throttling' }
    expect(await Promise.all(answers)).toEqual([expected, expected])
    await closed
  })

  it('audits requests in flight, although the client has disconnected', async () => {
    await start()
    const caller = await open()
    caller.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n')
    await api.arrivals(1)
    caller.destroy()
    await once(caller, 'close')
    let isClosed = false
    const closed = server.close().then(() => {
      isClosed = true
    })
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(isClosed).toBe(false)
    api.answer()
    await closed
  })

  it('does not wait for connections without a complete request', async () => {
    await start()
    const silent = await open()
    const half = await open()
    half.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf')
    const inFlight = post('1')
    await api.arrivals(1)
    const ends = [silent, half].map(socket => once(socket.on('error', () => {}).resume(), 'close'))
    const closed = server.close()
    api.answer()
    expect(await inFlight).toMatchObject({ status: 400 })
    await Promise.all([closed, ...ends])
  })

  it('closes at once when nobody is connected', async () => {
    await start()
    await server.close()
    await expect(open()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('the listener of the metrics', () => {
  it('serves their text and nothing else', async () => {
    server = await serveMetrics({ host: '127.0.0.1', port: 0 }, async () => 'some_metric 1\n', services.log)
    const answer = await fetch(`${server.url}/metrics`)
    expect(await answer.text()).toBe('some_metric 1\n')
    const statusOf = async (path: string, method: string) => (await fetch(server.url + path, { method })).status
    expect(await statusOf('/metrics?name[]=some_metric', 'GET')).toBe(200)
    expect(await statusOf('/metrics', 'HEAD')).toBe(200)
    for (const path of ['/', '/metrics/', '/metrics2']) expect(await statusOf(path, 'GET')).toBe(404)
    expect(await statusOf('/metrics', 'POST')).toBe(404)
  })
})
