import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditRecord, Entry } from '../../src/audit/entry.ts'
import { Failure } from '../../src/errors.ts'
import type { Caller } from '../../src/model/identities/caller.ts'
import { journalInto } from './records.ts'

const alice = { type: 'user', account: '111122223333', principalId: 'AIDA', arn: 'arn' } as Caller
const operator = { type: 'operator', uid: 0 } as unknown as Caller

function recordOf({ userAgent, host, ...parts }: Partial<Entry>, failure?: Failure): AuditRecord {
  const audit = createAudit(journalInto([]), () => 0, 'test')
  const tls = { tlsVersion: 'TLSv1.3', cipherSuite: 'TLS_AES_256_GCM_SHA384' }
  const entry = audit.open({ eventSource: 'kms.amazonaws.com', sourceAddress: '::1', userAgent, host, tls })
  return audit.record(Object.assign(entry, parts), failure)
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

const large: readonly (readonly [string, unknown])[] = [
  ['one long text', 'p'.repeat(131_072)],
  ['many short texts', Array(50_000).fill('ab')],
  ['many pairs', Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`k${i}`, '']))],
  ['many empty structures', Array(80_000).fill({})],
  ['many numbers', Array(80_000).fill(1)],
  ['wide characters', '😀'.repeat(30_000)],
  ['characters that are escaped', '\u0000'.repeat(20_000)],
]

describe('the record of a known caller', () => {
  it('is complete up to a hundred kilobytes', () => {
    const requestParameters = { keyId: 'k', encryptionContext: { a: 'b' }, policy: 'p'.repeat(100_000), limit: 5 }
    expect(recordOf({ caller: alice, requestParameters }).requestParameters).toEqual(requestParameters)
  })

  it.each(large)('has the hash of a member that is longer: %s', (_, value) => {
    const parts = { requestParameters: { keyId: 'k', value }, responseElements: { value } }
    const record = recordOf({ caller: alice, ...parts })
    const json = JSON.stringify(value)
    const sha256 = createHash('sha256').update(json).digest('hex')
    const omitted = { omitted: true, originalSize: Buffer.byteLength(json), sha256 }
    expect(record.requestParameters).toEqual({ keyId: 'k', value: omitted })
    expect(record.responseElements).toEqual({ value: omitted })
  })

  it('keeps the shorter members when they are too long together', () => {
    const text = (length: number) => 'x'.repeat(length)
    const requestParameters = { description: text(8192), policy: text(60_000), tags: [text(50_000)] }
    const { requestParameters: kept } = recordOf({ caller: alice, requestParameters })
    expect(kept).toEqual({ ...requestParameters, policy: expect.objectContaining({ omitted: true }) })
  })

  it('is limited to a kilobyte of error message, user agent and host', () => {
    const text = `${'x'.repeat(1000)}${'😀'.repeat(2000)}`
    const failure = new Failure('Validation', text)
    const { errorMessage, userAgent, tlsDetails } = recordOf({ caller: alice, userAgent: text, host: text }, failure)
    for (const kept of [errorMessage!, userAgent!, tlsDetails!.clientProvidedHostHeader!]) {
      expect(kept).toMatch(/^x{1000}😀+\uFFFD?\.\.\.$/u)
      expect([bytesOf(kept) > 1000, bytesOf(kept) <= 1024]).toEqual([true, true])
    }
  })
})

it('is complete for an apply of a thousand identities by the operator, and a hash for one of many more', () => {
  const stepsOf = (count: number) => ({
    steps: Array(count).fill({ arn: 'arn:aws:iam::111122223333:role/r'.repeat(8) }),
  })
  const [few, many] = [stepsOf(1000), stepsOf(5000)]
  expect(recordOf({ caller: operator, responseElements: few }).responseElements).toEqual(few)
  const { responseElements } = recordOf({ caller: operator, responseElements: many })
  expect(responseElements).toMatchObject({ steps: { omitted: true } })
})

describe('the record of an unknown caller', () => {
  const text = fc.string({ unit: 'binary', maxLength: 5000 })
  const huge = fc.constantFrom(...large.map(([, value]) => value))
  const value = fc.oneof(text, fc.dictionary(text, text, { maxKeys: 20 }), fc.array(text, { maxLength: 20 }), huge)

  it('has at most two kilobytes, whatever the request is', () => {
    const parts = fc.record({
      userAgent: text,
      host: text,
      requestParameters: fc.dictionary(text, value, { maxKeys: 20 }),
    })
    fc.assert(
      fc.property(parts, text, (parts, message) => {
        const operation = { name: 'GenerateDataKeyPairWithoutPlaintext', readOnly: true }
        const record = recordOf({ ...parts, operation }, new Failure('Validation', message))
        expect(bytesOf(record)).toBeLessThanOrEqual(2048)
        expect(record.errorMessage!.isWellFormed()).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  it('has a short request as it is', () => {
    const requestParameters = { roleArn: 'arn:aws:iam::111122223333:role/ci', roleSessionName: 'build' }
    const record = recordOf({ userAgent: 'curl/8', host: 'kms.example.com', requestParameters })
    expect(record).toMatchObject({ userAgent: 'curl/8', requestParameters })
  })
})
