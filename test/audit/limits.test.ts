import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditRecord } from '../../src/audit/entry.ts'
import { Failure } from '../../src/errors.ts'
import type { Caller } from '../../src/model/identities/caller.ts'
import { journalInto } from './records.ts'

function recordOf(
  parts: { caller?: Caller; requestParameters?: object; responseElements?: object; userAgent?: string },
  failure?: Failure,
): AuditRecord {
  const audit = createAudit(journalInto([]), () => 0, 'test')
  const { userAgent, ...rest } = parts
  return audit.record(
    Object.assign(audit.open({ eventSource: 'test', sourceAddress: '127.0.0.1', userAgent }), rest),
    failure,
  )
}

describe('the content of a record', () => {
  it('is complete for an ordinary call', async () => {
    const requestParameters = { keyId: 'k', encryptionContext: { a: 'b' }, policy: 'p'.repeat(10_000), limit: 5 }
    expect(recordOf({ requestParameters }).requestParameters).toEqual(requestParameters)
  })

  it('is complete for an apply of a thousand identities by the operator, and a digest for one of many more', async () => {
    const caller = { type: 'operator', uid: 0 } as unknown as Caller
    const stepsOf = (count: number) => ({
      steps: Array(count).fill({ arn: 'arn:aws:iam::111122223333:role/r'.repeat(8) }),
    })
    expect(recordOf({ caller, responseElements: stepsOf(1000) }).responseElements).toEqual(stepsOf(1000))
    const { responseElements } = recordOf({ caller, responseElements: stepsOf(5000) })
    expect(responseElements).toMatchObject({ steps: { omitted: true } })
  })

  it.each<[string, unknown]>([
    ['one long text', 'p'.repeat(32_768)],
    ['many short texts', Array(5000).fill('ab')],
    ['many pairs', Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`k${i}`, '']))],
    ['many empty structures', Array(8000).fill({})],
    ['wide characters', '😀'.repeat(8000)],
  ])('replaces a large member by its hash: %s', async (_, value) => {
    const record = recordOf({ requestParameters: { keyId: 'k', value }, responseElements: { value } })
    const sha256 = createHash('sha256').update(JSON.stringify(value)).digest('hex')
    const omitted = { omitted: true, characters: expect.any(Number), sha256 }
    expect(record.requestParameters).toEqual({ keyId: 'k', value: omitted })
    expect(record.responseElements).toEqual({ value: omitted })
    expect(JSON.stringify(record).length).toBeLessThan(2000)
  })

  it('is limited to a kilobyte of error message and user agent', async () => {
    const text = `${'x'.repeat(1020)}${'😀'.repeat(2000)}`
    const { errorMessage, userAgent } = recordOf({ userAgent: text }, new Failure('Validation', text))
    for (const kept of [errorMessage!, userAgent!]) {
      expect(kept.length).toBe(1024)
      expect(kept.isWellFormed()).toBe(true)
      expect(kept.endsWith('...')).toBe(true)
    }
  })
})
