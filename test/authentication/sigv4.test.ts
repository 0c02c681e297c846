import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { canonicalRequest, type SignedRequest } from '../../src/authentication/canonical-request.ts'
import type { SigV4 } from '../../src/authentication/sigv4.ts'
import { Failure } from '../../src/errors.ts'
import suite from '../vectors/sigv4/suite.json' with { type: 'json' }
import {
  bytes,
  now,
  permanent,
  secret,
  sign,
  sourceAddress,
  temporary,
  verifier,
  withAuthorization,
  withHeaders,
} from './signed-request.ts'

const sha256 = (text: string, encoding: 'utf8' | 'latin1' = 'utf8') =>
  createHash('sha256').update(text, encoding).digest('hex')

describe('published vectors', () => {
  for (const vector of suite.vectors) {
    const authorization = `AWS4-HMAC-SHA256 Credential=${suite.credential}, SignedHeaders=${vector.signedHeaders}, Signature=${vector.signature}`
    const body = Buffer.from(vector.body ?? '')
    const headers: SignedRequest['headers'] = { ...vector.headers, authorization }
    const request = { method: vector.method, url: bytes(vector.url), headers, body: async () => body, sourceAddress }

    test(`verifies ${vector.name}`, async () => {
      const sessionToken = headers['x-amz-security-token']
      const accessKey = { ...permanent, sealedSecret: Buffer.from(suite.secretAccessKey) }
      const session = { ...temporary, accessKeyId: accessKey.id }
      const sigv4 = verifier({
        service: 'service',
        clock: () => Date.parse(suite.date),
        accessKeys: [accessKey],
        unsealSession: async token =>
          token === sessionToken ? { session, secret: Buffer.from(suite.secretAccessKey) } : undefined,
      })
      const credentials = sessionToken === undefined ? accessKey : session
      expect(await sigv4.verify(request)).toEqual({ credentials, region: 'us-east-1' })
    })

    if (vector.canonicalRequestHash !== undefined)
      test(`builds the canonical request of ${vector.name}`, () => {
        const bodyHash = createHash('sha256').update(body).digest('hex')
        const { signedHeaders: signedHeaderList } = vector
        const signed = { signedHeaders: new Set(signedHeaderList.split(';')), signedHeaderList }
        const canonical = canonicalRequest(request, signed, bodyHash)
        expect(sha256(canonical, 'latin1')).toBe(vector.canonicalRequestHash)
      })
  }
})

const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const token = fc.stringMatching(/^[a-z0-9]{1,12}$/)
const headerValue = fc.stringMatching(/^[ \t]{0,2}([!-~àé ]{1,8}[ \t]{0,3}){1,4}$/)
const path = fc
  .array(fc.oneof(text.map(encodeURIComponent), fc.constantFrom('', '.', '..', '%7e', 'a+b', "!'()*")), {
    maxLength: 5,
  })
  .map(segments => `/${segments.join('/')}`)
const signing = fc.record({
  method: fc.constantFrom('POST', 'GET', 'PUT'),
  path,
  query: fc.dictionary(
    // The signer loses a parameter of this name.
    text.filter(name => name !== '' && name !== '__proto__' && name.toLowerCase() !== 'x-amz-signature'),
    fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 })),
    { maxKeys: 4, noNullPrototype: true },
  ),
  headers: fc.dictionary(
    token.map(name => `x-${name}`),
    headerValue,
    { maxKeys: 4, noNullPrototype: true },
  ),
  body: fc.uint8Array({ maxLength: 200 }),
  region: fc.constantFrom('eu-central-1', 'us-east-1'),
  at: fc.integer({ min: now - 300_000, max: now + 300_000 }).map(at => at - (at % 1000)),
  contentHash: fc.boolean(),
})

describe('requests signed by the AWS SDK', () => {
  test('verifies whatever it signs', async () => {
    const sigv4 = verifier()
    await fc.assert(
      fc.asyncProperty(signing, async options => {
        const { credentials, region } = await sigv4.verify(await sign(options))
        expect([credentials, region]).toEqual([permanent, options.region])
      }),
      { numRuns: 150 },
    )
  })

  test('verifies temporary credentials with their session token', async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[!-~]{1,40}$/), async sessionToken => {
        const sigv4 = verifier({ sessions: new Map([[sessionToken, temporary]]) })
        const { accessKeyId } = temporary
        expect((await sigv4.verify(await sign({ sessionToken, accessKeyId }))).credentials).toBe(temporary)
      }),
      { numRuns: 30 },
    )
  })

  test('refuses any change of one byte', async () => {
    const sigv4 = verifier()
    const swap = (value: string, index: number) => {
      const at = index % value.length
      return value.slice(0, at) + (value[at] === 'Q' ? 'R' : 'Q') + value.slice(at + 1)
    }
    const changes: Record<string, (request: SignedRequest, index: number) => SignedRequest> = {
      method: (request, index) => ({ ...request, method: swap(request.method, index) }),
      path: (request, index) => ({ ...request, url: `/${swap(request.url.slice(1), index)}` }),
      body: (request, index) => ({
        ...request,
        body: async () => {
          const bytes = await request.body()
          return bytes.map((byte, at) => (at === index % bytes.length ? byte ^ 1 : byte))
        },
      }),
      signature: (request, index) =>
        withAuthorization(request, header => header.slice(0, -64) + swap(header.slice(-64), index)),
      ...Object.fromEntries(
        ['host', 'x-amz-target', 'x-example', 'x-amz-security-token', 'x-amz-content-sha256'].map(name => [
          name,
          (request: SignedRequest, index: number) =>
            withHeaders(request, { [name]: swap(String(request.headers[name]), index) }),
        ]),
      ),
    }
    const session = { ...temporary, accessKeyId: permanent.id }
    // Whatever its token.
    const ofSession = verifier({ unsealSession: async () => ({ session, secret: Buffer.from(secret) }) })
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(changes)), fc.nat({ max: 1000 }), async (what, index) => {
        const request = await sign({
          path: '/some/path',
          headers: { 'x-example': 'value' },
          contentHash: what === 'x-amz-content-sha256',
          ...(what === 'x-amz-security-token' ? { sessionToken: 'session' } : {}),
        })
        const verify = what === 'x-amz-security-token' ? ofSession : sigv4
        await verify.verify(request)
        const refusal = verify.verify(changes[what]!(request, index))
        await expect(refusal).rejects.toMatchObject({ code: 'InvalidRequestSignature' })
      }),
      { numRuns: 200 },
    )
  })

  test('refuses a missing signed header, even an empty one', async () => {
    const request = await sign({ headers: { 'x-example': '' } })
    await verifier().verify(request)
    const refusal = verifier().verify(withHeaders(request, { 'x-example': undefined }))
    await expect(refusal).rejects.toMatchObject({ code: 'InvalidRequestSignature' })
  })

  test('answers the same whether it has seen the caller before or not', async () => {
    const outcome = (sigv4: SigV4, request: SignedRequest) =>
      sigv4.verify(request).catch(({ code, message }: Failure) => ({ code, message }))
    const pieces = fc.constantFrom(
      ...[
        '',
        'x',
        ',',
        ' ',
        '=',
        ';',
        '/',
        'Signature=',
        'Credential=',
        'SignedHeaders=host',
        `Signature=${'a'.repeat(64)}`,
      ],
    )
    const date = fc.constantFrom(
      '20260101T002500Z',
      '20260101T002501Z',
      'Thu, 01 Jan 2026 00:25:00 GMT',
      '20260230T002500Z',
      '',
    )
    const known = await sign()
    const { length } = String(known.headers.authorization)
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: length }),
        fc.nat({ max: 70 }),
        pieces,
        fc.option(date),
        async (at, cut, piece, date) => {
          const changed = withAuthorization(known, header => header.slice(0, at) + piece + header.slice(at + cut))
          const request = date === null ? changed : withHeaders(changed, { 'x-amz-date': date, date })
          const warm = verifier()
          await warm.verify(known)
          await outcome(warm, withHeaders(request, { 'x-amz-date': undefined }))
          expect(await outcome(warm, request)).toEqual(await outcome(verifier(), request))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('answers the same for anything in place of the signature of a known caller', async () => {
    const known = await sign()
    const warm = verifier()
    await warm.verify(known)
    const refusal = (sigv4: SigV4, request: SignedRequest) => sigv4.verify(request).catch(({ message }) => message)
    const digits = 'a'.repeat(64)
    for (const odd of [' ', ',', ', ', '=', ' Signature=', ',SignedHeaders=host', '\t', 'A', '\u00e9']) {
      for (const at of [0, 10, 64 - odd.length]) {
        const signature = digits.slice(0, at) + odd + digits.slice(at + odd.length)
        const request = withAuthorization(known, header => header.slice(0, -64) + signature)
        expect(await refusal(warm, request), signature).toBe(await refusal(verifier(), request))
      }
    }
  })

  test('lets through unsigned headers that proxies add', async () => {
    const request = withHeaders(await sign(), { 'x-forwarded-for': '192.0.2.1', 'x-amzn-trace-id': 'Root=1' })
    expect((await verifier().verify(request)).region).toBe('eu-central-1')
  })

  test('reads the Authorization header in any order and with any spaces or commas between its parameters', async () => {
    const request = withAuthorization(await sign(), header => {
      const [algorithm, credential, signedHeaders, signature] = header.split(/,? /)
      return ` ${algorithm}   ${signature} ,${signedHeaders},,${credential} `
    })
    expect((await verifier().verify(request)).region).toBe('eu-central-1')
  })

  // The SDK's signer does not sign Date, so this signature is computed by hand.
  test.each(['Thu, 01 Jan 2026 00:25:00 GMT', '20260101T002500Z'])(
    'takes %j as Date when there is no X-Amz-Date',
    async date => {
      const hmac = (key: string | Buffer, value: string) => createHmac('sha256', key).update(value).digest()
      const canonical = `GET\n/\n\ndate:${date}\nhost:kms.example.com\n\ndate;host\n${sha256('')}`
      const scope = '20260101/eu-central-1/kms/aws4_request'
      const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${secret}`)
      const toSign = `AWS4-HMAC-SHA256\n20260101T002500Z\n${scope}\n${sha256(canonical)}`
      const authorization = `AWS4-HMAC-SHA256 Credential=${permanent.id}/${scope}, SignedHeaders=date;host, Signature=${hmac(key, toSign).toString('hex')}`
      const headers = { date, host: 'kms.example.com', authorization }
      const signer = await verifier().verify({
        method: 'GET',
        url: '/',
        headers,
        body: async () => Buffer.alloc(0),
        sourceAddress,
      })
      expect(signer.region).toBe('eu-central-1')
    },
  )
})

describe('signing keys', () => {
  test('unseals a secret once, even for concurrent requests, and wipes it', async () => {
    const unseal = vi.fn(async () => Buffer.from(secret))
    const sigv4 = verifier({ unseal })
    const request = await sign()
    await Promise.all([sigv4.verify(request), sigv4.verify(request)])
    await sigv4.verify(request)
    expect(unseal).toHaveBeenCalledOnce()
    expect(await unseal.mock.results[0]!.value).toEqual(Buffer.alloc(secret.length))
    await sigv4.verify(await sign({ region: 'us-east-1' }))
    expect(unseal).toHaveBeenCalledTimes(2)
  })

  test('forgets a removed access key at once', async () => {
    const accessKeys = [permanent]
    const sigv4 = verifier({ accessKeys })
    const request = await sign()
    await sigv4.verify(request)
    accessKeys.pop()
    await expect(sigv4.verify(request)).rejects.toMatchObject({ code: 'UnrecognizedClient' })
  })

  test('refuses an access key that was removed, or got another secret, while the body arrived', async () => {
    const changes = [
      { changed: [], code: 'UnrecognizedClient' },
      { changed: [{ ...permanent, sealedSecret: Buffer.from('another secret') }], code: 'InvalidRequestSignature' },
    ]
    for (const { changed, code } of changes) {
      let accessKeys = [permanent]
      const sigv4 = verifier({ accessKey: id => accessKeys.find(accessKey => accessKey.id === id) })
      const request = await sign()
      await sigv4.verify(request)
      const body = async () => {
        accessKeys = changed
        return request.body()
      }
      await expect(sigv4.verify({ ...request, body })).rejects.toMatchObject({ code })
    }
  })

  test('does not use the signing key of an earlier secret', async () => {
    const accessKeys = [permanent]
    const sigv4 = verifier({ accessKeys })
    const request = await sign()
    await sigv4.verify(request)
    accessKeys[0] = { ...permanent, sealedSecret: Buffer.from('another secret') }
    await expect(sigv4.verify(request)).rejects.toMatchObject({ code: 'InvalidRequestSignature' })
    accessKeys[0] = permanent
    await sigv4.verify(request)
  })

  test('retries after a secret could not be unsealed', async () => {
    const failure = new Failure('KeyUnavailable')
    const unseal = vi.fn(async () => Buffer.from(secret)).mockRejectedValueOnce(failure)
    const sigv4 = verifier({ unseal })
    const request = await sign()
    await expect(sigv4.verify(request)).rejects.toBe(failure)
    await sigv4.verify(request)
  })
})

describe('many access keys', () => {
  test('forgets the oldest signing key when there are ten thousand of others', async () => {
    const unseal = vi.fn(async () => Buffer.from(secret))
    const sigv4 = verifier({ unseal, accessKey: id => ({ ...permanent, id }) })
    const request = await sign()
    const others = Array.from({ length: 10_000 }, (_, index) =>
      withAuthorization(request, header => header.replace(permanent.id, `AKID${index}`)),
    )
    await sigv4.verify(request)
    for (const other of others.slice(1)) await sigv4.verify(other).catch(() => {})
    await sigv4.verify(request)
    expect(unseal).toHaveBeenCalledTimes(10_000)
    await sigv4.verify(others[0]!).catch(() => {})
    await sigv4.verify(request)
    expect(unseal).toHaveBeenCalledTimes(10_002)
  })
})

describe('many kinds of headers', () => {
  test('are not kept beyond a thousand, nor any that is long', async () => {
    const kinds = await Promise.all(
      Array.from({ length: 1100 }, (_, index) => sign({ headers: { [`x-${index}`]: 'value' } })),
    )
    const long = await sign({ headers: { [`x-${'long'.repeat(300)}`]: 'value' } })
    const sigv4 = verifier()
    await sigv4.verify(kinds[0]!)
    const set = vi.spyOn(Map.prototype, 'set')
    try {
      let largest = 0
      for (const request of [...kinds.slice(1), long]) {
        await sigv4.verify(request)
        largest = Math.max(largest, (set.mock.contexts.at(-1) as Map<unknown, unknown>).size)
      }
      expect(largest).toBe(1000)
      const lengths = set.mock.calls.map(([key]) => String(key).length)
      expect(Math.max(...lengths)).toBeLessThanOrEqual(1024)
    } finally {
      set.mockRestore()
    }
  })
})

describe('hostile input', () => {
  const garbage = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)) })
  const parameter = fc.constantFrom(
    'AWS4-HMAC-SHA256',
    'Credential=AKIDEXAMPLE/20260101/eu-central-1/kms/aws4_request',
    'Credential=',
    'SignedHeaders=host;x-amz-date',
    'SignedHeaders=__proto__;constructor;host;x-amz-date',
    'SignedHeaders=;',
    `Signature=${'0'.repeat(64)}`,
    'Signature',
    '=',
    ',',
    ' ',
    '/',
  )
  const header = fc.oneof(
    garbage,
    fc.array(fc.oneof(parameter, garbage), { maxLength: 9 }).map(parts => parts.join(' ')),
    fc
      .shuffledSubarray([
        'Credential=AKIDEXAMPLE/20260101/eu-central-1/kms/aws4_request',
        'SignedHeaders=__proto__;host;x-amz-date',
        'Signature=0',
      ])
      .map(parts => `AWS4-HMAC-SHA256 ${parts}`),
  )

  test('answers arbitrary headers with a failure of the caller, never with anything else', async () => {
    const sigv4 = verifier()
    const headers = fc.record(
      {
        authorization: header,
        'x-amz-date': fc.oneof(garbage, fc.constant('20260101T002500Z')),
        date: garbage,
        host: garbage,
        'x-amz-security-token': garbage,
        'x-amz-content-sha256': garbage,
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(headers, garbage, garbage, async (headers, method, url) => {
        const thrown = await sigv4
          .verify({ method, url, headers, body: async () => Buffer.alloc(0), sourceAddress })
          .catch(error => error)
        expect(thrown).toBeInstanceOf(Failure)
        expect(thrown.fault).toBe('caller')
      }),
      { numRuns: 3000 },
    )
  })
})
