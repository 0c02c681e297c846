import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fuzzHttp } from '../server/http-fuzz.ts'
import { answersIn, everythingFrom, open, type RawAnswer } from '../server/raw-requests.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { send, signed } from './requests.ts'

/** Whatever bytes come over a connection: what answers has AWS's shape and a request id, and is on record. */

let installation: Installation
let gateway: Gateway

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

/** Sends the parts one after another, as segments of their own; then everything that comes back until the gateway closes. */
async function exchange(parts: readonly (string | Buffer)[], { end = false } = {}): Promise<RawAnswer[]> {
  const socket = await open(gateway.url)
  const everything = everythingFrom(socket)
  for (const part of parts) {
    socket.write(part, 'latin1')
    if (parts.length > 1) await new Promise(setImmediate)
  }
  if (end) socket.end()
  return answersIn(await everything)
}

interface Refused {
  readonly __type: string
  readonly message?: string
}

/** Checks the format of a refusal and that it has exactly one record. */
function refused({ headers, body }: RawAnswer): Refused {
  expect(headers).toMatchObject({
    'content-type': 'application/x-amz-json-1.1',
    'x-amzn-requestid': expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
  })
  const records = gateway.records().filter(({ requestID }) => requestID === headers['x-amzn-requestid'])
  const parsed = JSON.parse(body) as Refused
  expect(records).toMatchObject([{ errorCode: parsed.__type, sourceIPAddress: '127.0.0.1' }])
  return parsed
}

const credentials = () => installation.credentials[home]!
const post = (lines: string, body = '') => `POST / HTTP/1.1\r\nhost: x\r\n${lines}\r\n${body}`
const malformed = [400, 'MalformedHttpRequestException'] as const
const long = 'x'.repeat(65_536)

describe.each([
  ['leaves the connection open', false],
  ['ends its side of it', true],
])('a caller who %s', (_, end) => {
  it.each<[string, string | Buffer, number, string]>([
    ['garbage', '\0\x01\x02 garbage\r\n\r\n', ...malformed],
    ['a TLS hello', Buffer.from('16030100c8010000c40303', 'hex'), ...malformed],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ...malformed],
    ['HTTP/2 in the request line', 'GET / HTTP/2.0\r\nhost: x\r\n\r\n', ...malformed],
    ['HTTP/3 in the request line', 'GET / HTTP/3.0\r\nhost: x\r\n\r\n', ...malformed],
    ['HTTP/0.9', 'GET /\r\n\r\n', ...malformed],
    ['an unknown method', 'FLY / HTTP/1.1\r\nhost: x\r\n\r\n', ...malformed],
    ['CONNECT', 'CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n', 400, 'UnknownOperationException'],
    ['line feeds alone', 'GET / HTTP/1.1\nhost: x\n\n', ...malformed],
    ['a folded header', post('a: b\r\n c\r\n'), ...malformed],
    ['a header name with a control character', post('a\x01b: c\r\n'), ...malformed],
    ['a header value with a NUL', post('a: b\0c\r\n'), ...malformed],
    ['two lengths', post('content-length: 1\r\ncontent-length: 2\r\n', 'ab'), ...malformed],
    ['a length and chunks', post('content-length: 1\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'), ...malformed],
    ['a length that is no number', post('content-length: one\r\n'), ...malformed],
    ['a negative length', post('content-length: -1\r\n'), ...malformed],
    ['a length beyond all numbers', post(`content-length: ${'9'.repeat(30)}\r\n`), ...malformed],
    ['headers over 64 KiB', post(`a: ${long}\r\n`), 431, 'RequestHeaderSectionTooLarge'],
    [
      'headers over 64 KiB without an end',
      `GET / HTTP/1.1\r\nhost: x\r\na: ${long}`,
      431,
      'RequestHeaderSectionTooLarge',
    ],
    ['a target over 64 KiB', `GET /${long} HTTP/1.1\r\nhost: x\r\n\r\n`, 431, 'RequestHeaderSectionTooLarge'],
  ])('and sends %s gets AWS’s error, and the connection is closed', async (_, bytes, status, code) => {
    const answers = await exchange([bytes], { end })
    expect(answers).toHaveLength(1)
    expect(answers[0]).toMatchObject({ status, headers: { connection: 'close' } })
    expect(refused(answers[0]!).__type).toBe(code)
  })
})

describe('a request', () => {
  it.each<[string, string, number, string]>([
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', ...malformed],
    ['two Hosts', 'GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n', ...malformed],
    ['an expectation that nobody knows', post('expect: wonders\r\ncontent-length: 0\r\n'), ...malformed],
    ['a transfer encoding that nobody knows', post('transfer-encoding: gzip\r\n'), ...malformed],
    ['chunks in HTTP/1.0', 'POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', ...malformed],
    ['a length over the limit', post('content-length: 99999999999\r\n'), 413, 'RequestEntityTooLargeException'],
    ['a thousand headers', post('a: b\r\n'.repeat(1000)), 431, 'RequestHeaderSectionTooLarge'],
    ['many headers', post('a: b\r\n'.repeat(20_000)), 431, 'RequestHeaderSectionTooLarge'],
    ['an upgrade', post('connection: upgrade\r\nupgrade: h2c\r\n'), 400, 'MissingAuthenticationTokenException'],
    ['the form of HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 400, 'MissingAuthenticationTokenException'],
    [
      '100-continue and no signature',
      post('expect: 100-continue\r\ncontent-length: 9\r\n'),
      400,
      'MissingAuthenticationTokenException',
    ],
  ])('with %s gets AWS’s error', async (_, bytes, status, code) => {
    const [answer, ...others] = await exchange([bytes], { end: true })
    expect(others).toEqual([])
    expect(answer!.status).toBe(status)
    expect(refused(answer!).__type).toBe(code)
  })

  it('is answered before what comes after it on the connection is refused', async () => {
    const { headers, body } = await signed({ url: gateway.url, credentials: credentials() })
    const lines = Object.entries({ ...headers, 'content-length': String(body.length) }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    )
    const good = `POST / HTTP/1.1\r\n${lines.join('')}\r\n${body}`
    for (const bad of ['GARBAGE\r\n\r\n', 'CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n', post('content-length: x\r\n')]) {
      for (const parts of [[good + good + bad], [good, good, bad]]) {
        const answers = await exchange(parts)
        expect(answers.map(({ status }) => status)).toEqual([200, 200, 400])
        refused(answers[2]!)
      }
    }
  })

  it('whose body is no chunk is answered once', async () => {
    const { headers } = await signed({ url: gateway.url, credentials: credentials() })
    const lines = Object.entries({ ...headers, 'transfer-encoding': 'chunked' }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    )
    for (const parts of [['zz\r\n'], ['1\r\n{\r\n', 'zz\r\n']]) {
      const answers = await exchange([`POST / HTTP/1.1\r\n${lines.join('')}\r\n`, ...parts])
      expect(answers.map(({ status }) => status)).toEqual([400])
      expect(refused(answers[0]!).__type).toBe('MalformedHttpRequestException')
    }
  })

  it('is read after 100 Continue, once its headers are right', async () => {
    const { headers, body } = await signed({ url: gateway.url, credentials: credentials() })
    const lines = Object.entries({ ...headers, expect: '100-Continue', 'content-length': String(body.length) })
    const socket = await open(gateway.url)
    const everything = everythingFrom(socket)
    socket.write(`POST / HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
    await once(socket, 'data')
    socket.end(body)
    expect(answersIn(await everything).map(({ status }) => status)).toEqual([100, 200])
  })
})

describe('random changes of requests', () => {
  it('are answered in the shape of AWS, each with a record', { timeout: 60_000 }, async () => {
    const before = gateway.records().length
    const requestIds = await fuzzHttp(gateway.url, credentials(), 300)
    const recorded = gateway.records().slice(before)
    expect(recorded.map(({ requestID }) => requestID).sort()).toEqual([...requestIds].sort())
    expect(gateway.complaints()).toEqual([])
    expect(await send(`${gateway.url}/healthz`, {})).toMatchObject({ status: 200 })
  })
})
