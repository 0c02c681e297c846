import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Answer, sendLines } from './requests.ts'

/**
 * What was signed is what came over the wire: the signer of the AWS SDK signs the canonical form, and a bare socket sends another form of the
 * same, which no HTTP client would.
 */

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

const body = Buffer.from('{}')

interface Signing {
  readonly path?: string
  readonly query?: Record<string, string | string[]>
  /** By names in lower case. */
  readonly headers?: Record<string, string>
}

/** Header lines of a ListKeys call, by name, as an HTTP client would send them. */
async function signedLines({ path = '/', query = {}, headers = {} }: Signing = {}): Promise<Record<string, string>> {
  const { hostname, host } = new URL(gateway.url)
  const credentials = installation.credentials[home]!
  const signer = new SignatureV4({ service: 'kms', region: 'us-east-1', credentials, sha256: Sha256 })
  const all = {
    host,
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'TrentService.ListKeys',
    ...headers,
  }
  const request = { method: 'POST', protocol: 'http:', hostname, path, query, headers: all, body }
  // Some headers, such as User-Agent, are signed on request only.
  return (await signer.sign(request, { signableHeaders: new Set(Object.keys(headers)) })).headers
}

/** Sends the lines with some of them replaced by others. */
function post(target: string, lines: Record<string, string>, replaced: readonly string[] = []): Promise<Answer> {
  const names = new Set(replaced.map(line => line.slice(0, line.indexOf(':')).toLowerCase()))
  const kept = Object.entries(lines).filter(([name]) => !names.has(name.toLowerCase()))
  const others = kept.map(([name, value]) => `${name}: ${value}`)
  return sendLines(gateway.url, [`POST ${target} HTTP/1.1`, ...others, ...replaced], body)
}

describe('a signed header', () => {
  it.each<[string, string, string[], string]>([
    ['on two lines', 'x-example', ['X-Example: a', 'X-Example: b'], 'a,b'],
    ['on two lines of different case', 'x-example', ['x-example: a', 'X-EXAMPLE: b'], 'a,b'],
    ['on lines with others between them', 'x-example', ['X-Example: a', 'X-Other: 1', 'X-Example: b'], 'a,b'],
    ['on lines out of order', 'x-example', ['X-Example: b', 'X-Example: a'], 'b,a'],
    ['on lines with spaces', 'x-example', ['X-Example:   a   b  ', 'X-Example:\tc \t d '], 'a b,c d'],
    ['on empty lines', 'x-example', ['X-Example:', 'X-Example: ', 'X-Example:'], ',,'],
    ['that holds commas itself', 'x-example', ['X-Example: a, b', 'X-Example: c,d'], 'a, b,c,d'],
    ['of AWS on two lines', 'x-amz-example', ['X-Amz-Example: 1', 'X-Amz-Example: 2'], '1,2'],
    ['of several bytes a character', 'x-example', ['X-Example: \xc3\xa0', 'X-Example: \xc3\xa9'], 'à,é'],
    ['that Node.js joins by a semicolon', 'cookie', ['Cookie: a=1', 'Cookie: b=2'], 'a=1,b=2'],
    ['that Node.js keeps apart', 'set-cookie', ['Set-Cookie: a=1', 'Set-Cookie: b=2'], 'a=1,b=2'],
    ['of which Node.js keeps the first', 'user-agent', ['User-Agent: a', 'User-Agent: b'], 'a,b'],
    ['of which Node.js keeps the first, too', 'etag', ['ETag: a', 'ETag: b'], 'a,b'],
    ['on as many lines as there may be', 'x-example', Array(980).fill('X-Example: 1'), Array(980).fill('1').join()],
    ['called like a member of every object', 'constructor', ['constructor: a', 'constructor: b'], 'a,b'],
  ])('%s is signed with its lines joined by a comma', async (_, name, lines, value) => {
    const signed = await signedLines({ headers: { [name]: value } })
    expect(await post('/', signed, lines)).toMatchObject({ status: 200 })
    const refused = await post('/', signed, [...lines.slice(0, -1), `${lines.at(-1)}x`])
    expect(JSON.parse(refused.body).__type).toBe('InvalidSignatureException')
  })
})

describe('a header that may occur once', () => {
  it.each([
    ['Authorization', 'IncompleteSignatureException'],
    ['X-Amz-Date', 'IncompleteSignatureException'],
    ['X-Amz-Target', 'InvalidSignatureException'],
    ['X-Amz-Content-SHA256', 'InvalidSignatureException'],
    ['Host', 'MalformedHttpRequestException'],
  ])('is refused twice: %s', async (name, code) => {
    const signed = await signedLines()
    const line = `${name}: ${signed[name.toLowerCase()]}`
    const { status, body } = await post('/', signed, [line, line])
    expect([status, JSON.parse(body).__type]).toEqual([400, code])
  })

  it('is refused twice though both were signed: X-Amz-Target', async () => {
    const target = 'TrentService.ListKeys'
    const signed = await signedLines({ headers: { 'x-amz-target': `${target},${target}` } })
    const { status, body } = await post('/', signed, Array(2).fill(`X-Amz-Target: ${target}`))
    expect([status, body]).toEqual([400, '{"__type":"UnknownOperationException"}'])
  })
})

describe('a request target', () => {
  const parameters = { b: ['2', '1', ''], a: 'x y', 'a-b': '+', ä: '/?&=%', empty: '' }
  const query = '%C3%A4=%2F%3F%26%3D%25&b=2&a=x%20y&a%2Db=+&b&empty=&b=1'

  it.each<[string, Signing?]>([
    ['/'],
    ['/?'],
    ['//'],
    ['///'],
    ['/./'],
    ['/.'],
    ['/a/..'],
    ['/a/../'],
    ['/../'],
    ['//a//../.'],
    ['http://kms.us-east-1.amazonaws.com/'],
    ['http://kms.us-east-1.amazonaws.com:7700/'],
    ['http://kms.us-east-1.amazonaws.com'],
    ['HTTPS://[::1]:443//'],
    ['/?x', { query: { x: '' } }],
    ['/?&x=&&', { query: { x: '' } }],
    ['http://kms.us-east-1.amazonaws.com?x=1', { query: { x: '1' } }],
    ['http://kms.us-east-1.amazonaws.com/?x=http://y/', { query: { x: 'http://y/' } }],
    [`/?${query}`, { query: parameters }],
    [`/?${query.toLowerCase()}`, { query: parameters }],
    ['/?%61=%7e', { query: { a: '~' } }],
    ['/?a=b=c', { query: { a: 'b=c' } }],
    ['/?a=%zz&b=%', { query: { a: '%zz', b: '%' } }],
  ])('is accepted in every valid form: %s', async (target, signing) => {
    const { status, body } = await post(target, await signedLines(signing))
    expect({ status, body }).toMatchObject({ status: 200, body: expect.stringContaining('"Keys"') })
  })

  it.each<[string, string]>([
    ['/kms', '/kms'],
    ['/kms/', '/kms/'],
    ['//kms', '/kms'],
    ['/%2e', '/%2e'],
    ['/%2E', '/%2E'],
    ['/%2F', '/%2F'],
    ['http://kms.us-east-1.amazonaws.com/kms', '/kms'],
    ['/a//b/./../c%20d/', '/a/c%20d/'],
  ])('other than the root is no operation, but its signature is valid: %s', async (target, path) => {
    const { status, body } = await post(target, await signedLines({ path }))
    expect({ status, body }).toEqual({ status: 400, body: '{"__type":"UnknownOperationException"}' })
  })

  it.each(['/?x=2', '/?X=1', '/?x=1&x=1', '/a?x=1', 'http://kms.us-east-1.amazonaws.com/?x=1%20'])(
    'that was changed does not match the signature: %s',
    async target => {
      const { body } = await post(target, await signedLines({ query: { x: '1' } }))
      expect(JSON.parse(body).__type).toBe('InvalidSignatureException')
    },
  )
})
