import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { Api, ApiRequest } from '../../src/apis/api.ts'
import { Failure } from '../../src/errors.ts'
import { type RunningServer, serveApi } from '../../src/server/server.ts'
import type { PathServices } from '../../src/services.ts'
import { alone } from '../../src/storage/fleet/alone.ts'

/** What a browser asks and reads before it lets a page of another origin call. */

/** Methods of the requests that reached the API. */
let called: string[]
let server: RunningServer
/** Thrown by the audit, which ends a request outside the request path. */
let broken: Error | undefined

const api = {
  claims: () => true,
  errorCode: ({ code }) => code,
  refuse: ({ code, status }) => ({ status, headers: { 'x-amzn-RequestId': 'id' }, body: code }),
} as Partial<Api> as Api

const services = {
  async authenticate({ method }: ApiRequest) {
    called.push(method)
    throw new Failure('MissingAuthenticationToken')
  },
  audit: {
    open() {
      if (broken) throw broken
      return {}
    },
    record: () => ({}),
  },
  outbox: { fail: async () => {} },
  storage: { fleet: alone },
  metrics: { started: () => () => {}, keyUseRefused() {} },
  log: { error() {}, warn() {}, info() {} },
} as unknown as PathServices

async function start({ cors }: { cors: boolean }): Promise<void> {
  called = []
  broken = undefined
  const limits = { maxBodySize: 1024, maxBodyMemory: 65_536, maxConnections: 10 }
  const readiness = async () => ({ ready: true, parts: {} })
  server = await serveApi({ host: '127.0.0.1', port: 0, cors, ...limits }, [api], services, readiness)
}

afterEach(() => server.close())

const origin = 'https://page.example'
const asked = 'authorization,content-type,x-amz-date,x-amz-security-token,x-amz-target,amz-sdk-request'

async function send(method: string, headers: Record<string, string | string[]>, path = '/', body = '') {
  const request = httpRequest(new URL(path, server.url), { method, headers, agent: false })
  request.end(body)
  const [response] = await once(request, 'response')
  const text = Buffer.concat(await response.toArray()).toString()
  return { status: response.statusCode as number, headers: response.headers as Record<string, string>, body: text }
}

const sharing = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date',
}

const ofSharing = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('access-control-')))

describe('a preflight request', () => {
  const preflight = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': asked }

  it('is answered as by AWS KMS, without the API', async () => {
    await start({ cors: true })
    const { status, headers, body } = await send('OPTIONS', preflight)
    expect([status, body, called]).toEqual([200, '', []])
    expect(headers).toMatchObject({
      'x-amzn-requestid': expect.stringMatching(/^[0-9a-f-]{36}$/),
      'cache-control': 'no-cache, no-store, must-revalidate, private',
      expires: '0',
      pragma: 'no-cache',
      'content-length': '0',
    })
    expect(ofSharing(headers)).toEqual({
      ...sharing,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': asked,
      'access-control-max-age': '172800',
    })
  })

  it('allows what it requests and no more', async () => {
    await start({ cors: true })
    const { headers } = await send('OPTIONS', { origin })
    expect(ofSharing(headers)).toEqual({ ...sharing, 'access-control-max-age': '172800' })
    const lines = { origin, 'access-control-request-headers': ['authorization', 'x-amz-target'] }
    const { headers: ofLines } = await send('OPTIONS', lines)
    expect(ofLines['access-control-allow-headers']).toMatch(/^authorization, ?x-amz-target$/)
  })

  it('does not open a private network to public pages', async () => {
    await start({ cors: true })
    const { headers } = await send('OPTIONS', { ...preflight, 'access-control-request-private-network': 'true' })
    expect(headers).not.toHaveProperty('access-control-allow-private-network')
  })

  it.each([
    ['that names no origin', true, {}],
    ['where pages may not call', false, preflight],
  ])('is refused as any other request %s', async (_, cors, headers) => {
    await start({ cors })
    const answer = await send('OPTIONS', headers)
    expect([answer.status, answer.body, called]).toEqual([400, 'MissingAuthenticationToken', ['OPTIONS']])
    expect(ofSharing(answer.headers)).toEqual({})
  })
})

describe('an answer', () => {
  it.each<[string, string, string]>([
    ['a refusal', '/', ''],
    ['a refusal of another path', '/service/TrentService/operation/Encrypt', ''],
    ['a body that is too long', '/', 'x'.repeat(2000)],
  ])('may be read by a page of another origin: %s', async (_, path, body) => {
    await start({ cors: true })
    const { status, headers } = await send('POST', { origin }, path, body)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(ofSharing(headers)).toEqual(sharing)
  })

  it('may be read by it even when the request failed outside the request path', async () => {
    await start({ cors: true })
    broken = new Error('nothing works')
    const { status, headers } = await send('POST', { origin })
    expect(status).toBe(500)
    expect(ofSharing(headers)).toEqual(sharing)
  })

  it.each<[string, boolean, string, Record<string, string>]>([
    ['to whoever is no page', true, '/', {}],
    ['where pages may not call', false, '/', { origin }],
    ['of a probe', true, '/readyz', { origin }],
  ])('has no CORS headers: one %s', async (_, cors, path, headers) => {
    await start({ cors })
    const answer = await send(path === '/' ? 'POST' : 'GET', headers, path)
    expect(ofSharing(answer.headers)).toEqual({})
  })
})
