import { describe, expect, test, vi } from 'vitest'
import type { SignedRequest } from '../../src/authentication/canonical-request.ts'
import { Failure, type FailureCode } from '../../src/errors.ts'
import {
  now,
  secret,
  sign,
  sourceAddress,
  temporary,
  verifier,
  withAuthorization,
  withHeaders,
} from './signed-request.ts'

const unrecognized = 'The security token included in the request is invalid.'
const mismatch =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.'

async function refused(
  request: SignedRequest | Promise<SignedRequest>,
  code: FailureCode,
  message: string,
  sigv4 = verifier(),
) {
  const thrown = await sigv4.verify(await request).catch(error => error)
  expect({ code: thrown.code, message: thrown.message }).toEqual({ code, message })
}

describe('no signature', () => {
  test('refuses a request without an Authorization header', async () => {
    const request = withHeaders(await sign(), { authorization: undefined })
    await refused(request, 'MissingAuthenticationToken', 'Missing Authentication Token')
  })

  test('reports a signature in the query', async () => {
    const request = withHeaders(await sign(), { authorization: undefined })
    const message = 'Signatures in the query string are not supported: sign with the Authorization header.'
    for (const url of ['/?X-Amz-Signature=00', '/?a=b&X-Amz-Algorithm=AWS4-HMAC-SHA256'])
      await refused({ ...request, url }, 'IncompleteSignature', message)
  })
})

describe('incomplete signature', () => {
  const incomplete = async (change: (header: string) => string, message: string) =>
    refused(withAuthorization(await sign(), change), 'IncompleteSignature', message)

  test('refuses other algorithms', async () => {
    const message = "Unsupported AWS 'algorithm' (only AWS4-HMAC-SHA256 for now)."
    await incomplete(header => header.replace('SHA256', 'SHA25'), message)
    await incomplete(header => header.replace('HMAC', 'ECDSA-P256'), message)
    await incomplete(() => 'Bearer abc', message)
    await incomplete(() => '', message)
  })

  test('names every parameter that is missing', async () => {
    const requires = (parameter: string) => `Authorization header requires '${parameter}' parameter.`
    for (const parameter of ['Credential', 'Signature', 'SignedHeaders']) {
      await incomplete(header => header.replace(new RegExp(`${parameter}=[^,]*,?`), ''), requires(parameter))
      await incomplete(header => header.replace(new RegExp(`${parameter}=[^,]*`), `${parameter}=`), requires(parameter))
    }
    await incomplete(
      () => 'AWS4-HMAC-SHA256',
      [requires('Credential'), requires('Signature'), requires('SignedHeaders')].join(' '),
    )
  })

  test('refuses unknown, repeated or malformed parameters, without quoting them', async () => {
    await incomplete(
      header => header.replace('Credential=', 'Credential= '),
      'Not a valid key=value pair (missing equal-sign) in Authorization header.',
    )
    await incomplete(header => `${header}, Secret=1`, 'Authorization header holds an unknown parameter.')
    await incomplete(header => `${header}, Signature=1`, "Authorization header holds 'Signature' twice.")
  })

  test('refuses a credential without five elements, without quoting it', async () => {
    const message = 'Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.'
    await incomplete(header => header.replace('/kms', ''), message)
    await refused(sign({ accessKeyId: secret }), 'IncompleteSignature', message)
  })

  test('refuses a header named twice, which would be copied twice', async () => {
    await incomplete(header => header.replace('host;', 'host;host;'), "'SignedHeaders' names a header twice.")
  })

  test('refuses a request without a date', async () => {
    const message = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
    for (const date of [undefined, ''])
      await refused(withHeaders(await sign(), { 'x-amz-date': date }), 'IncompleteSignature', message)
  })

  test.each([
    '201',
    '2026-01-01T00:25:00Z',
    '20260101T002500',
    '20260101T002500z',
    '20260101T002500.5Z',
    '20260230T002500Z',
    '20260001T002500Z',
    '20261301T002500Z',
    '20260100T002500Z',
    '20260101T242500Z',
    '20260101T006000Z',
    '20260101T002460Z',
    '00260101T002500Z',
    '+2260101T002500Z',
    'Thu, 01 Jan 2026 00:25:00 GMT',
    'Invalid Date',
  ])('refuses %j as X-Amz-Date', async date => {
    const message = `Date must be in ISO-8601 'basic format'. Got '${date}'. See http://en.wikipedia.org/wiki/ISO_8601`
    await refused(withHeaders(await sign(), { 'x-amz-date': date }), 'IncompleteSignature', message)
  })

  test.each(['Invalid Date', '2026-01-01', 'Fri, 01 Jan 2026 00:25:00 GMT', 'Thu, 1 Jan 2026 00:25:00 GMT'])(
    'refuses %j as Date',
    async date => {
      const message = `Date must be in ISO-8601 'basic format'. Got '${date}'. See http://en.wikipedia.org/wiki/ISO_8601`
      const request = withHeaders(await sign(), { 'x-amz-date': undefined, date })
      await refused(request, 'IncompleteSignature', message)
    },
  )
})

describe('clock', () => {
  test('refuses a signature that is older than the skew', async () => {
    await verifier().verify(await sign({ at: now - 300_000 }))
    const message =
      'Signature expired: 20260101T001959Z is now earlier than 20260101T002000Z (20260101T002500Z - 5 min.)'
    await refused(sign({ at: now - 301_000 }), 'InvalidRequestSignature', message)
  })

  test('refuses a signature from a future beyond the skew', async () => {
    await verifier().verify(await sign({ at: now + 300_000 }))
    const message =
      'Signature not yet current: 20260101T003001Z is still later than 20260101T003000Z (20260101T002500Z + 5 min.)'
    await refused(sign({ at: now + 301_000 }), 'InvalidRequestSignature', message)
  })

  test('states the configured minutes', async () => {
    const message =
      'Signature expired: 20260101T002300Z is now earlier than 20260101T002330Z (20260101T002500Z - 1.5 min.)'
    await refused(sign({ at: now - 120_000 }), 'InvalidRequestSignature', message, verifier({ maxClockSkew: 90_000 }))
  })
})

describe('scope', () => {
  const scope = async (change: (header: string) => string, message: string) =>
    refused(withAuthorization(await sign(), change), 'InvalidRequestSignature', message)
  const dateRule = 'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP'

  test('refuses a region that is not served', async () => {
    const message = "Credential should be scoped to a valid region, not 'eu-west-9'."
    await refused(sign({ region: 'eu-west-9' }), 'InvalidRequestSignature', message)
  })

  test('refuses another service', async () => {
    const message = "Credential should be scoped to correct service: 'kms'."
    await refused(sign({ service: 's3' }), 'InvalidRequestSignature', message)
  })

  test('refuses another terminator', async () => {
    const message = "Credential should be scoped with a valid terminator: 'aws4_request'."
    await scope(header => header.replace('aws4_request', 'aws5_request'), message)
  })

  test('refuses a scope of another day', async () => {
    await scope(
      header => header.replace('/20260101/', '/20251231/'),
      `${dateRule}: '20251231' != '20260101', from '20260101T002500Z'.`,
    )
  })

  test('reports all violations together', async () => {
    await scope(
      header => header.replace('20260101/eu-central-1/kms/aws4_request', 'a/b/c/d'),
      [
        "Credential should be scoped to a valid region, not 'b'.",
        "Credential should be scoped to correct service: 'kms'.",
        "Credential should be scoped with a valid terminator: 'aws4_request'.",
        `${dateRule}: 'a' != '20260101', from '20260101T002500Z'.`,
      ].join(' '),
    )
  })
})

describe('signed headers', () => {
  test.each([
    ['host', "'Host' or ':authority'"],
    ['x-amz-date', "'x-amz-date'"],
    ['x-amz-target', "'x-amz-target'"],
    ['x-amz-content-sha256', "'x-amz-content-sha256'"],
  ])('refuses an unsigned %s', async (name, named) => {
    const message = `${named} must be a 'SignedHeader' in the AWS Authorization.`
    await refused(sign({ leaveUnsigned: [name] }), 'InvalidRequestSignature', message)
  })

  test('refuses an unsigned Date when it is what dates the request', async () => {
    const date = 'Thu, 01 Jan 2026 00:25:00 GMT'
    const request = withHeaders(await sign(), { 'x-amz-date': undefined, date })
    const message = "'date' must be a 'SignedHeader' in the AWS Authorization."
    await refused(request, 'InvalidRequestSignature', message)
  })
})

describe('signature', () => {
  test('refuses an access key that does not exist', async () => {
    await refused(sign({ accessKeyId: 'AKIDUNKNOWN' }), 'UnrecognizedClient', unrecognized)
  })

  test('refuses a signature by another secret', async () => {
    const sigv4 = verifier({ unseal: async () => Buffer.from('another secret') })
    await refused(sign(), 'InvalidRequestSignature', mismatch, sigv4)
  })

  test('refuses a signature of another length or in other digits', async () => {
    const request = await sign()
    for (const change of [
      (header: string) => header.slice(0, -1),
      (header: string) => `${header}0`,
      (header: string) => header.replace(/Signature=.*/, hex => `Signature=${hex.slice(10).toUpperCase()}`),
      (header: string) =>
        header.replace(/Signature=(.)/, (_, digit) => `Signature=${String.fromCharCode(digit.charCodeAt(0) + 0x100)}`),
    ])
      await refused(withAuthorization(request, change), 'InvalidRequestSignature', mismatch)
  })

  test('refuses another body', async () => {
    const request = { ...(await sign({ contentHash: false })), body: async () => Buffer.from('{"Limit":1}') }
    await refused(request, 'InvalidRequestSignature', mismatch)
  })

  test('refuses a content hash that is not of the body, and UNSIGNED-PAYLOAD', async () => {
    const message = "The value of 'x-amz-content-sha256' is not the SHA-256 of the request body."
    await refused({ ...(await sign()), body: async () => Buffer.from('') }, 'InvalidRequestSignature', message)
    const unsigned = sign({ headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } })
    await refused(unsigned, 'InvalidRequestSignature', message)
  })
})

describe('session token', () => {
  const { accessKeyId } = temporary
  const sessionToken = 'token-of-the-tests'
  const unsealSession = vi.fn(async (token: string, id: string) =>
    token === sessionToken && id === accessKeyId ? { session: temporary, secret: Buffer.from(secret) } : undefined,
  )
  const fresh = () => {
    unsealSession.mockClear()
    return verifier({ unsealSession })
  }

  test('refuses temporary credentials without their token or with another, known or not', async () => {
    const sigv4 = fresh()
    for (const _ of [1, 2]) {
      await refused(sign({ accessKeyId }), 'UnrecognizedClient', unrecognized, sigv4)
      await refused(sign({ accessKeyId, sessionToken: 'another' }), 'UnrecognizedClient', unrecognized, sigv4)
      await refused(sign({ accessKeyId, sessionToken: '' }), 'UnrecognizedClient', unrecognized, sigv4)
      await sigv4.verify(await sign({ accessKeyId, sessionToken }))
    }
  })

  test('refuses an access key with a token', async () => {
    await refused(sign({ sessionToken }), 'UnrecognizedClient', unrecognized, fresh())
  })

  test('refuses a token that is not signed, or sent twice', async () => {
    const signed = await sign({ accessKeyId, sessionToken })
    const both = withHeaders(signed, { 'x-amz-security-token': [sessionToken, sessionToken] })
    await refused(both, 'UnrecognizedClient', unrecognized, fresh())
    const unsigned = withHeaders(await sign({ accessKeyId }), { 'x-amz-security-token': sessionToken })
    const message = "'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization."
    await refused(unsigned, 'InvalidRequestSignature', message, fresh())
    expect(unsealSession).not.toHaveBeenCalled()
  })

  test('is not unsealed for a request that is refused without it', async () => {
    const sigv4 = fresh()
    const good = { accessKeyId, sessionToken }
    const wrong = [
      sign({ ...good, at: now - 400_000 }),
      sign({ ...good, at: now + 400_000 }),
      sign({ ...good, region: 'mars-north-1' }),
      sign({ ...good, service: 's3' }),
      sign({ ...good, leaveUnsigned: ['x-amz-target'] }),
      sign(good).then(request => ({ ...request, body: async () => Buffer.from('another') })),
      sign(good).then(request => withAuthorization(request, header => header.replace('aws4_request', 'aws5_request'))),
      sign(good).then(request => withAuthorization(request, header => header.replace('Signature=', 'Sig='))),
    ]
    for (const request of wrong) await expect(sigv4.verify(await request)).rejects.toMatchObject({ fault: 'caller' })
    expect(unsealSession).not.toHaveBeenCalled()
  })

  test('is unsealed once for concurrent requests, a day and a region; a forged one for each request that comes after', async () => {
    const sigv4 = fresh()
    const request = await sign({ accessKeyId, sessionToken })
    await Promise.all([sigv4.verify(request), sigv4.verify(request)])
    await sigv4.verify(request)
    expect(unsealSession.mock.calls).toEqual([[sessionToken, accessKeyId, sourceAddress]])
    expect((await unsealSession.mock.results[0]!.value)!.secret).toEqual(Buffer.alloc(secret.length))
    await sigv4.verify(await sign({ accessKeyId, sessionToken, region: 'us-east-1' }))
    expect(unsealSession).toHaveBeenCalledTimes(2)
    const forged = await sign({ accessKeyId, sessionToken: 'forged' })
    await Promise.all([1, 2].map(() => refused(forged, 'UnrecognizedClient', unrecognized, sigv4)))
    await refused(forged, 'UnrecognizedClient', unrecognized, sigv4)
    expect(unsealSession).toHaveBeenCalledTimes(4)
    await sigv4.verify(request)
    expect(unsealSession).toHaveBeenCalledTimes(4)
  })

  test('is unsealed again after an HSM could not be asked', async () => {
    const sigv4 = fresh()
    const request = await sign({ accessKeyId, sessionToken })
    unsealSession.mockRejectedValueOnce(new Failure('KeyUnavailable'))
    await refused(request, 'KeyUnavailable', '', sigv4)
    await sigv4.verify(request)
  })

  test('stays known, however many forged ones come', async () => {
    const sigv4 = fresh()
    const request = await sign({ accessKeyId, sessionToken })
    await sigv4.verify(request)
    const forged = await sign({ accessKeyId, sessionToken: 'forged' })
    for (let n = 0; n < 10_001; n++) {
      const other = withHeaders(forged, { 'x-amz-security-token': `forged-${n}` })
      await sigv4.verify(other).catch(error => expect(error.code).toBe('UnrecognizedClient'))
    }
    unsealSession.mockClear()
    await sigv4.verify(request)
    expect(unsealSession).not.toHaveBeenCalled()
  })

  test('is unsealed again after its session has expired and others came: the expired ones are forgotten', async () => {
    const clock = vi.fn(() => now)
    const other = { ...temporary, accessKeyId: 'ASIDANOTHER', expiresAt: now + 300_000 }
    const unseal = vi.fn(async (_token: string, id: string) => ({
      session: id === accessKeyId ? temporary : other,
      secret: Buffer.from(secret),
    }))
    const sigv4 = verifier({ clock, unsealSession: unseal })
    const requests = await Promise.all(['', '1'].map(n => sign({ accessKeyId, sessionToken: sessionToken + n })))
    await sigv4.verify(requests[0]!)
    await sigv4.verify(requests[0]!)
    expect(unseal).toHaveBeenCalledTimes(1)
    clock.mockReturnValue(now + 200_000)
    await sigv4.verify(await sign({ accessKeyId: other.accessKeyId, sessionToken }))
    await sigv4.verify(requests[0]!)
    expect(unseal).toHaveBeenCalledTimes(3)
  })

  test('takes a limited amount of memory: those with long session policies displace the oldest ones', async () => {
    const policies = Array.from({ length: 11 }, () => 'x'.repeat(6144))
    const unseal = vi.fn(async (_token: string, id: string) => ({
      session: { ...temporary, accessKeyId: id, role: { name: 'long', policies } },
      secret: Buffer.from(secret),
    }))
    const sigv4 = verifier({ unsealSession: unseal })
    const nth = (n: number) => sign({ accessKeyId: `ASID${n}`, sessionToken })
    for (let n = 0; n < 500; n++) await sigv4.verify(await nth(n))
    await sigv4.verify(await nth(499))
    await sigv4.verify(await nth(1))
    expect(unseal).toHaveBeenCalledTimes(501)
  })

  test('that is genuine says no more than one that is not, without a valid signature', async () => {
    const expired = { ...temporary, expiresAt: now - 1 }
    const sigv4 = verifier({ sessions: new Map([[sessionToken, expired]]) })
    const request = withAuthorization(await sign({ accessKeyId, sessionToken }), header => `${header.slice(0, -1)}x`)
    await refused(request, 'InvalidRequestSignature', mismatch, sigv4)
  })
})
