import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { KMS } from '@aws-sdk/client-kms'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { operationNames } from '../../src/apis/kms/model.ts'
import { operations } from '../../src/operations/kms/catalogue.ts'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { answerTo, type Post, refusal, type Signed, send, signed, signedPost } from './requests.ts'

/** What comes over the wire, well formed or not: the running gateway answers it, puts it on record and lives on. */

let installation: Installation
let gateway: Gateway
let kms: KMS
let keyId: string
/** A key that may be changed at random. */
let victim: string

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  kms = gateway.client()
  keyId = (await kms.createKey({})).KeyMetadata!.KeyId!
  victim = (await kms.createKey({})).KeyMetadata!.KeyId!
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

const own = () => ({ url: gateway.url, credentials: installation.credentials[home]! })
const post = (options: Partial<Post> = {}) => signedPost({ ...own(), ...options })
const built = new Set<string>(operations.map(({ name }) => name))

async function socket(): Promise<Socket> {
  const { hostname, port } = new URL(gateway.url)
  const opened = connect(Number(port), hostname)
  await once(opened, 'connect')
  return opened
}

describe('an answer', () => {
  it('has the headers of AWS, and a request id that is in the audit record', async () => {
    const { status, headers, body } = await post()
    expect({ status, body }).toEqual({
      status: 200,
      body: expect.stringMatching(/^\{"Keys":\[\{"KeyId":".{36}","KeyArn":"[^"]*"\},.*\],"Truncated":false\}$/),
    })
    expect(headers).toMatchObject({
      'content-type': 'application/x-amz-json-1.1',
      'cache-control': 'no-cache, no-store, must-revalidate, private',
      expires: '0',
      pragma: 'no-cache',
    })
    expect(gateway.records().at(-1)!.requestID).toBe(headers['x-amzn-requestid'])
  })

  it('gives times as seconds with a fraction', async () => {
    const { body } = await post({ target: 'DescribeKey', body: { KeyId: keyId } })
    expect(body).toMatch(/"CreationDate":\d{10}(\.\d{1,3})?,/)
  })
})

describe('an operation', () => {
  it('of AWS that is not supported is refused, whatever its input', async () => {
    const missing = operationNames.filter(name => !built.has(name))
    expect(missing).toHaveLength(operationNames.length - operations.length)
    const answers = await Promise.all(missing.map(target => post({ target, body: 'no JSON' })))
    expect(answers.map(({ status, body }) => [status, JSON.parse(body)])).toEqual(
      missing.map(name => [
        400,
        {
          __type: 'UnsupportedOperationException',
          message: expect.stringMatching(new RegExp(`^${name} is not supported by this gateway[.:]`)),
        },
      ]),
    )
  })

  it.each<[string, Partial<Post>]>([
    ['an unknown target', { target: 'Fly' }],
    ['no target', { target: null }],
    ['another path', { path: '/kms' }],
    ['a path that cannot be read', { path: '/%zz' }],
    ['another method', { method: 'PUT' }],
    ['a method without a body', { method: 'GET', body: '' }],
    ['a method that nobody expects', { method: 'PROPFIND', body: '' }],
    ['another content type', { headers: { 'content-type': 'application/json' } }],
    ['a content type that is none', { headers: { 'content-type': 'nonsense;;=' } }],
    ['an empty content type', { headers: { 'content-type': '' } }],
  ])('is unknown with %s', async (_, options) => {
    const before = gateway.records().length
    const { status, body } = await post(options)
    expect({ status, body }).toEqual({ status: 400, body: '{"__type":"UnknownOperationException"}' })
    expect(gateway.records()).toHaveLength(before + 1)
  })
})

describe('a signature', () => {
  const invalid = (text: string) => `{"__type":"InvalidSignatureException","message":"${text}`
  const mismatch = invalid('The request signature we calculated does not match')

  it('is needed', async () => {
    const { status, body } = await send(gateway.url, { method: 'POST' }, Buffer.from('{}'))
    expect({ status, body }).toEqual({
      status: 400,
      body: '{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}',
    })
  })

  it.each<[string, (post: Post) => Post, string]>([
    [
      'of an unknown access key',
      sent => ({ ...sent, credentials: { accessKeyId: 'AKIANOBODY', secretAccessKey: 'x' } }),
      '{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}',
    ],
    [
      'with another secret',
      sent => ({ ...sent, credentials: { ...sent.credentials, secretAccessKey: 'guessed' } }),
      mismatch,
    ],
    [
      'of six minutes ago',
      sent => ({ ...sent, signedAt: new Date(Date.now() - 360_000) }),
      invalid('Signature expired'),
    ],
    [
      'of six minutes ahead',
      sent => ({ ...sent, signedAt: new Date(Date.now() + 360_000) }),
      invalid('Signature not yet current'),
    ],
  ])('is refused: one %s', async (_, change, expected) => {
    const { status, body } = await signedPost(change(own()))
    expect(status).toBe(400)
    expect(body.startsWith(expected), body).toBe(true)
  })

  it('covers body, target and path', async () => {
    const { body, ...request } = await signed({ ...own(), body: { Limit: 1 } })
    const answers = [
      await send(gateway.url, request, Buffer.from('{"Limit":2}')),
      await send(gateway.url, { ...request, headers: { ...request.headers, 'x-amz-target': 'X' } }, body),
      await send(gateway.url, { ...request, path: '/?x=1' }, body),
    ]
    for (const answer of answers) expect(answer.body.startsWith(mismatch), answer.body).toBe(true)
    expect(await send(gateway.url, request, body)).toMatchObject({ status: 200 })
  })
})

describe('a body', () => {
  it.each<[string, unknown]>([
    ['that is no JSON', '{"KeyId":'],
    ['that is no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['that is no object', '[]'],
    ['with a value of the wrong type', { KeyId: 1 }],
    ['with an object for a text', { KeyId: {} }],
    ['with a blob that is no base64', { KeyId: 'x', Plaintext: 'not base64!' }],
    ['with a context that is no map', { KeyId: 'x', Plaintext: 'AAAA', EncryptionContext: [] }],
    ['nested too deeply', '['.repeat(100_000)],
  ])('%s cannot be read', async (_, body) => {
    const answer = await post({ target: 'Encrypt', body })
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body).__type).toBe('SerializationException')
  })

  it('may be empty, and may have unknown members', async () => {
    expect(await post({ body: '' })).toMatchObject({ status: 200 })
    expect(await post({ body: { Unknown: [1], Limit: null } })).toMatchObject({ status: 200 })
  })

  it('of 192 KiB is read, and one byte more is refused', async () => {
    const body = '{"Limit":1}'.padEnd(192 * 1024)
    expect(await post({ body })).toMatchObject({ status: 200 })
    const before = gateway.records().length
    const { status, body: refused } = await post({ body: `${body} ` })
    expect({ status, body: refused }).toEqual({
      status: 413,
      body: '{"__type":"RequestEntityTooLargeException","message":"The request body is too large."}',
    })
    expect(gateway.records().slice(before)).toMatchObject([{ errorCode: 'RequestEntityTooLargeException' }])
  })

  it.each<[string, string, object]>([
    ['a policy', 'PutKeyPolicy', { KeyId: 'k', Policy: 'p'.repeat(131_072) }],
    [
      'tags',
      'CreateKey',
      { Tags: Array.from({ length: 400 }, (_, i) => ({ TagKey: `k${i}`, TagValue: 'v'.repeat(256) })) },
    ],
    ['a description', 'CreateKey', { Description: 'd'.repeat(180_000) }],
  ])('with a large %s leaves a short record', async (_, target, body) => {
    const before = gateway.records().length
    expect(await post({ target, body })).toMatchObject({ status: 400 })
    const [record] = gateway.records().slice(before)
    expect(record!.eventName).toBe(target)
    expect(JSON.stringify(record).length).toBeLessThan(4096)
  })

  it('that is too long is refused in chunks, too', async () => {
    const { headers, method } = await signed(own())
    const request = httpRequest(gateway.url, { method, headers, agent: false })
    // The gateway may close while it is still being sent.
    request.on('error', () => {})
    const answer = answerTo(request)
    request.write(Buffer.alloc(1024 * 1024))
    request.end(Buffer.alloc(1024 * 1024))
    expect(await answer).toMatchObject({ status: 413 })
  })

  it('in chunks is read like any other', async () => {
    const { headers, method, body } = await signed(own())
    const request = httpRequest(gateway.url, { method, headers, agent: false })
    request.write(body.subarray(0, 1))
    request.end(body.subarray(1))
    expect(await answerTo(request)).toMatchObject({ status: 200 })
  })
})

function onTheWire({ headers, body }: Signed): Buffer {
  const all = { ...headers, 'content-length': String(body.length), connection: 'close' }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`POST / HTTP/1.1\r\n${lines.join('')}\r\n`), body])
}

describe('a connection', () => {
  it('that is closed after half a request has no effect', async () => {
    const whole = onTheWire(await signed({ ...own(), target: 'CreateKey' }))
    const before = (await kms.listKeys({})).Keys!.length
    for (const end of [1, 20, 200, whole.length - 2, whole.length - 1]) {
      const sender = await socket()
      sender.write(whole.subarray(0, end))
      sender.resetAndDestroy()
      await once(sender, 'close')
    }
    expect((await kms.listKeys({})).Keys).toHaveLength(before)
  })

  it('that is slow is not aborted, while others are served', async () => {
    const whole = onTheWire(await signed(own()))
    const sender = await socket()
    const answer = sender.toArray()
    for (let i = 0; i < whole.length; i += 50) {
      sender.write(whole.subarray(i, i + 50))
      await kms.listKeys({ Limit: 1 })
    }
    expect(Buffer.concat(await answer).toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })
})

describe('no input results in a server error:', () => {
  const faults = (status: number) => status >= 500
  const operation = fc.constantFrom<string>(...operationNames, 'Fly')
  const fine = { numRuns: 100, endOnFailure: true }

  it('signed bytes', async () => {
    await fc.assert(
      fc.asyncProperty(operation, fc.uint8Array({ maxLength: 200 }), async (target, body) => {
        expect(faults((await post({ target, body })).status)).toBe(false)
      }),
      fine,
    )
  })

  it('signed JSON of the right names', async () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom('alias/x', 'arn:aws:kms:us-east-1:111122223333:key/x', 'AAAA', '', 0, -1, 2 ** 31, true, null),
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
      fc.base64String({ maxLength: 100 }),
    )
    const names = ['Plaintext', 'CiphertextBlob', 'EncryptionContext', 'KeySpec', 'NumberOfBytes', 'Limit', 'Marker']
    const more = [
      'Tags',
      'TagKeys',
      'AliasName',
      'TargetKeyId',
      'Policy',
      'PolicyName',
      'DestinationKeyId',
      'Recipient',
    ]
    const member = fc.constantFrom(...names, ...more, 'DryRun', 'GrantTokens', 'PendingWindowInDays', 'Description')
    const key = fc.oneof(fc.constant(undefined), value)
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...built),
        fc.dictionary(member, value, { maxKeys: 5 }),
        key,
        async (target, members, KeyId) => {
          const body = { KeyId: KeyId === undefined ? victim : KeyId, ...members }
          expect(faults((await post({ target: target as OperationName, body })).status)).toBe(false)
        },
      ),
      { ...fine, numRuns: 300 },
    )
  })

  it('blobs with a valid prefix', async () => {
    const { CiphertextBlob } = await kms.encrypt({ KeyId: keyId, Plaintext: Buffer.from('text') })
    const blob = Buffer.from(CiphertextBlob!)
    await fc.assert(
      fc.asyncProperty(fc.nat(blob.length), fc.uint8Array({ maxLength: 100 }), async (length, rest) => {
        const CiphertextBlob = Buffer.concat([blob.subarray(0, length), rest])
        fc.pre(CiphertextBlob.length > 0 && !CiphertextBlob.equals(blob))
        expect(await refusal(kms.decrypt({ CiphertextBlob }))).toBe('InvalidCiphertextException')
      }),
      fine,
    )
  })

  it('Authorization headers', async () => {
    const part = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.constantFrom('AWS4-HMAC-SHA256 ', 'Credential=', 'SignedHeaders=host', 'Signature=', ',', '/', '=', ';'),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 10 }), async parts => {
        const headers = { authorization: parts.join(''), 'x-amz-target': 'TrentService.ListKeys' }
        const { status } = await send(gateway.url, { method: 'POST', headers }, Buffer.from('{}'))
        expect(status).toBe(400)
      }),
      fine,
    )
  })

  it('and nothing of it is logged as an error', async () => {
    expect(gateway.records().filter(({ errorCode }) => errorCode === 'KMSInternalException')).toEqual([])
    expect(gateway.complaints()).toEqual([])
    expect((await send(`${gateway.url}/healthz`, {})).status).toBe(200)
  })
})

describe('the metrics', () => {
  it('count requests and HSM calls, on a listener of their own', async () => {
    const requests = async (operation: string, outcome: string) => {
      const { status, headers, body } = await send(`${gateway.metricsUrl}/metrics`, {})
      expect({ status, type: headers['content-type'] }).toMatchObject({ status: 200, type: /^text\/plain; version=0/ })
      const line = `strongroom_requests_total{api="kms",operation="${operation}",outcome="${outcome}"} `
      const found = body.split('\n').find(text => text.startsWith(line))
      return { body, count: Number(found?.slice(line.length) ?? 0) }
    }
    const before = await requests('Encrypt', 'success')
    await kms.encrypt({ KeyId: keyId, Plaintext: Buffer.from('text') })
    const { body, count } = await requests('Encrypt', 'success')
    expect(count).toBe(before.count + 1)
    for (const name of [
      'strongroom_request_duration_seconds_bucket{le="0.01",api="kms",operation="Encrypt"}',
      'strongroom_request_duration_seconds_count{api="kms",operation="Encrypt"}',
      'strongroom_hsm_calls_total{hsm="softhsm",operation="encrypt",return_code="CKR_OK"}',
      'strongroom_hsm_call_duration_seconds_count{hsm="softhsm",operation="encrypt"}',
      'strongroom_hsm_pending_calls{hsm="softhsm"} 0',
      'strongroom_hsm_orphaned_objects{hsm="softhsm"} 0',
      'process_resident_memory_bytes ',
    ]) {
      expect(body).toContain(`\n${name}`)
    }
    const unknown = (await requests('none', 'UnknownOperationException')).count
    await post({ target: 'Fly' })
    expect((await requests('none', 'UnknownOperationException')).count).toBe(unknown + 1)
  })

  it('are not on the listener of the API', async () => {
    expect(await send(`${gateway.url}/metrics`, {})).toMatchObject({ status: 400 })
    expect(await send(gateway.metricsUrl, {})).toMatchObject({ status: 404 })
  })
})
