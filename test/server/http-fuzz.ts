/** Random bytes for an HTTP server, most of them nearly a request, and what must be true of every answer. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { Credentials } from '../end-to-end/gateway.ts'
import { signed } from '../end-to-end/requests.ts'
import { answersIn, everythingFrom, open, type RawAnswer } from './raw-requests.ts'

/**
 * Sends so many random conversations, each over a connection of its own. Resolves to the request ids of all answers to API calls.
 * Throws unless each is answered, by nothing but whole answers of AWS's shape.
 */
export async function fuzzHttp(url: string, credentials: Credentials, runs: number): Promise<string[]> {
  const requests = await Promise.all([
    onTheWire(url, credentials, 'ListKeys', { Limit: 1 }),
    onTheWire(url, credentials, 'GenerateRandom', { NumberOfBytes: 8 }),
    onTheWire(url, credentials, 'Encrypt', { KeyId: 'alias/none', Plaintext: 'AAAA' }),
    onTheWire(url, credentials, 'Decrypt', { CiphertextBlob: 'A'.repeat(400) }, ['expect: 100-continue']),
  ])
  const requestIds: string[] = []
  await fc.assert(
    fc.asyncProperty(conversation(requests), async segments => {
      const answers = await converse(url, segments)
      // Node.js closes a connection at once after the method of HTTP/2's preface (RFC 9113, section 3.4) in a line without a version.
      const isNoRequest = /^[\r\n]*(?:PRI [^ ]*\r\n|$)/.test(Buffer.concat(segments).toString('latin1'))
      expect(answers.length).toBeGreaterThanOrEqual(isNoRequest ? 0 : 1)
      for (const answer of answers) {
        const requestId = checked(answer)
        // A preflight request is no API call.
        if (answer.headers['access-control-max-age'] === undefined) requestIds.push(requestId)
      }
    }),
    { numRuns: runs, endOnFailure: true },
  )
  return requestIds
}

async function onTheWire(url: string, credentials: Credentials, target: string, input: object, more: string[] = []) {
  const { method, path, headers, body } = await signed({ url, credentials, target, body: input })
  const all = Object.entries({ ...headers, 'content-length': String(body.length) })
  const lines = [...all.map(([name, value]) => `${name}: ${value}`), ...more]
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1')
}

type Change = (bytes: Buffer) => Buffer

/** A few requests in a row, with random changes, cut into segments. */
function conversation(requests: readonly Buffer[]): fc.Arbitrary<Buffer[]> {
  const request = fc
    .tuple(fc.constantFrom(...requests), fc.array(change, { maxLength: 3 }))
    .map(([bytes, changes]) => changes.reduce((changed, change) => change(changed), bytes))
  const noise = fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes))
  const all = fc.array(fc.oneof({ weight: 9, arbitrary: request }, { weight: 1, arbitrary: noise }), {
    minLength: 1,
    maxLength: 3,
  })
  return fc.tuple(all, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 })).map(([parts, cuts]) => {
    const bytes = Buffer.concat(parts)
    const places = [0, ...cuts.map(cut => Math.floor(cut * bytes.length)).sort((a, b) => a - b), bytes.length]
    return places.slice(1).map((place, i) => bytes.subarray(places[i], place))
  })
}

const place = fc.double({ min: 0, max: 1, noNaN: true })
const header = fc.oneof(
  fc.constantFrom(
    'host: other',
    'content-length: 0',
    'content-length: 5',
    'content-length: 99999999',
    'transfer-encoding: chunked',
    'transfer-encoding: gzip',
    'expect: 100-continue',
    'expect: more',
    'origin: https://page.example',
    'smithy-protocol: rpc-v2-cbor',
    'connection: close',
    'connection: upgrade\r\nupgrade: websocket',
    'x-amz-date: 20260101T000000Z',
    'x-amz-target: TrentService.CreateKey',
    'authorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=0',
    `x: ${'y'.repeat(70_000)}`,
    ' folded',
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
)

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 4 })).map(
    ([at, bytes]): Change =>
      whole => {
        const start = Math.floor(at * whole.length)
        return Buffer.concat([whole.subarray(0, start), bytes, whole.subarray(start + bytes.length)])
      },
  ),
  fc.tuple(place, fc.uint8Array({ maxLength: 20 })).map(
    ([at, bytes]): Change =>
      whole => {
        const start = Math.floor(at * whole.length)
        return Buffer.concat([whole.subarray(0, start), bytes, whole.subarray(start)])
      },
  ),
  fc.tuple(place, fc.nat(200)).map(
    ([at, length]): Change =>
      whole => {
        const start = Math.floor(at * whole.length)
        return Buffer.concat([whole.subarray(0, start), whole.subarray(start + length)])
      },
  ),
  header.map(
    (line): Change =>
      whole =>
        replaced(whole, /\r\n/, `\r\n${line}\r\n`),
  ),
  fc.constantFrom('GET', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'PROPFIND', 'PRI', 'FLY', '').map(
    (method): Change =>
      whole =>
        replaced(whole, /^POST/, method),
  ),
  fc
    .oneof(
      fc.constantFrom(
        '*',
        '//',
        '/?a=b',
        '/%zz',
        'http://x/',
        'http://x',
        '/../',
        'x',
        '/?Action=a',
        '/service/x/operation/y',
      ),
      fc.string({ unit: 'binary', maxLength: 20 }),
    )
    .map(
      (target): Change =>
        whole =>
          replaced(whole, / \/ /, ` ${target} `),
    ),
  fc
    .constantFrom(
      'application/x-amz-json-1.0',
      'application/json',
      'application/x-www-form-urlencoded',
      'application/cbor',
      'application/x-amz-cbor-1.1',
      'application/xml',
      '',
    )
    .map(
      (type): Change =>
        whole =>
          replaced(whole, /application\/x-amz-json-1\.1/, type),
    ),
  fc.constantFrom('HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/9', 'ICY').map(
    (version): Change =>
      whole =>
        replaced(whole, /HTTP\/1\.1/, version),
  ),
)

function replaced(bytes: Buffer, what: RegExp, by: string): Buffer {
  return Buffer.from(
    bytes.toString('latin1').replace(what, () => by),
    'latin1',
  )
}

/** Sends the segments, ends its side, and reads to the end. */
async function converse(url: string, segments: readonly Buffer[]): Promise<RawAnswer[]> {
  const socket = await open(url)
  const everything = everythingFrom(socket)
  for (const segment of segments) {
    socket.write(segment)
    await new Promise(setImmediate)
  }
  socket.end()
  return answersIn(await everything).filter(({ status }) => status !== 100)
}

/** The request id of an answer, whose shape is that of its protocol. */
function checked({ status, headers, body }: RawAnswer): string {
  expect(headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/)
  expect(status).toBeLessThan(500)
  const type = headers['content-type'] ?? ''
  if (status === 200 && body === '') expect(headers).toHaveProperty('access-control-max-age')
  else if (status === 200) expect(type).toMatch(/^application\/(x-amz-)?json/)
  else if (type.includes('json'))
    expect(JSON.parse(body)).toEqual({ __type: expect.stringMatching(/^([a-z.]+#)?[A-Z]\w+$/), ...messageOf(body) })
  else if (type.includes('xml')) expect(body).toMatch(/<Code>[A-Z]\w+<\/Code>/)
  else expect(body).toMatch(/__type/)
  return headers['x-amzn-requestid']!
}

function messageOf(body: string): object {
  const { message, Message } = JSON.parse(body)
  return { ...(message && { message: expect.any(String) }), ...(Message && { Message: expect.any(String) }) }
}
