import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { schema } from '../../../src/config.ts'
import type { Key } from '../../../src/model/keys/key.ts'
import { formerKeyIn, recordedKey } from '../../../src/model/usage/deleted-key.ts'
import { keyMonths } from '../../../src/model/usage/key-months.ts'
import { dayOf, periodsBetween } from '../../../src/model/usage/periods.ts'
import { type Prices, requestKind } from '../../../src/model/usage/prices.ts'
import { type Dimension, dimensions, UsageReport } from '../../../src/model/usage/usage-report.ts'
import { aKey, aMaterial } from '../../storage/records.ts'

const prices: Prices = schema.shape.prices.parse({})
const at = (text: string) => Date.parse(text)

describe('a request', () => {
  it.each([
    ['Encrypt', '', 'SYMMETRIC_DEFAULT', 'standard'],
    ['GenerateMac', '', 'HMAC_256', 'standard'],
    ['GenerateRandom', '', undefined, 'standard'],
    ['Sign', '', 'RSA_2048', 'rsa2048'],
    ['GetPublicKey', '', 'RSA_2048', 'rsa2048'],
    ['DescribeKey', '', 'RSA_2048', 'standard'],
    ['Decrypt', '', 'RSA_4096', 'asymmetric'],
    ['Verify', '', 'ECC_NIST_P256', 'asymmetric'],
    ['Sign', '', 'ML_DSA_65', 'asymmetric'],
    ['ReEncrypt', '', 'SM2', 'asymmetric'],
    ['CreateGrant', '', 'ECC_NIST_P256', 'standard'],
    ['Sign', '', undefined, 'standard'],
    ['Sign', '', 'A_NEWER_SPEC', 'standard'],
    ['GenerateDataKeyPair', 'RSA_2048', 'SYMMETRIC_DEFAULT', 'rsaKeyPair'],
    ['GenerateDataKeyPairWithoutPlaintext', 'RSA_4096', undefined, 'rsaKeyPair'],
    ['GenerateDataKeyPair', 'ECC_NIST_P521', 'SYMMETRIC_DEFAULT', 'eccKeyPair'],
    ['GenerateDataKeyPair', '', 'SYMMETRIC_DEFAULT', 'standard'],
  ])('%s %s with a key %s is of the kind %s', (operation, pairSpec, spec, kind) => {
    expect(requestKind(operation, pairSpec, spec)).toBe(kind)
  })
})

describe('the months of a key', () => {
  const november = { start: at('2026-11-01'), end: at('2026-12-01') }
  interface Life {
    readonly createdAt?: number
    readonly endsAt?: number
    readonly rotatedAt?: readonly number[]
  }
  const months = ({ createdAt = 0, endsAt, rotatedAt = [] }: Life, charged = 2) =>
    keyMonths({ createdAt, endsAt, rotatedAt }, november, charged)

  it.each<[string, Life, number]>([
    ['are one for a whole month', {}, 1],
    ['are none before it is created', { createdAt: november.end }, 0],
    ['are none after its deletion was scheduled', { endsAt: november.start }, 0],
    ['are the hours that have begun', { createdAt: at('2026-11-07T10:59Z'), endsAt: at('2026-11-07T12:01Z') }, 3 / 720],
    [
      'are an hour at least',
      { createdAt: at('2026-11-07T10:59:59Z'), endsAt: at('2026-11-07T10:59:59.001Z') },
      1 / 720,
    ],
    ['are two after a rotation', { rotatedAt: [0] }, 2],
    ['are none before the creation of a replica that has rotations', { createdAt: november.end, rotatedAt: [0, 0] }, 0],
    ['begin with such a replica', { createdAt: at('2026-11-16'), rotatedAt: [0] }, 1],
    ['grow with the hours since a rotation', { rotatedAt: [at('2026-11-16')] }, 1.5],
    ['do not grow with the third rotation', { rotatedAt: [0, 0, 0, 0] }, 3],
  ])('%s', (_, life, expected) => {
    expect(months(life)).toBeCloseTo(expected, 12)
  })

  it('count as many rotations as the prices say', () => {
    expect(months({ rotatedAt: [0, 0, 0] }, 0)).toBe(1)
    expect(months({ rotatedAt: [0, 0, 0] }, 9)).toBe(4)
  })

  it('are the same day by day as for the month, of any length', () => {
    const time = fc.integer({ min: at('2024-01-01'), max: at('2028-12-31') })
    fc.assert(
      fc.property(time, time, fc.option(time, { nil: undefined }), fc.array(time, { maxLength: 3 }), (...given) => {
        const [month, createdAt, endsAt, rotatedAt] = given
        const life = { createdAt, endsAt, rotatedAt: rotatedAt.sort((a, b) => a - b) }
        const first = `${dayOf(month).slice(0, 7)}-01`
        const [whole] = periodsBetween(first, dayOf(month), 'month')
        const days = periodsBetween(first, dayOf(month), 'day').map(day => keyMonths(life, day, 2))
        expect(days.reduce((sum, part) => sum + part, 0)).toBeCloseTo(keyMonths(life, whole!, 2), 9)
      }),
    )
  })
})

describe('a range of days', () => {
  it('has each of its days, and each of its months, of which those at its ends may be parts', () => {
    expect(periodsBetween('2024-02-28', '2024-03-01', 'day').map(({ day }) => day)).toEqual([
      ...['2024-02-28', '2024-02-29', '2024-03-01'],
    ])
    expect(periodsBetween('2023-12-31', '2024-02-01', 'month').map(({ month, from, to }) => [month, from, to])).toEqual(
      [
        ['2023-12', '2023-12-31', '2023-12-31'],
        ['2024-01', '2024-01-01', '2024-01-31'],
        ['2024-02', '2024-02-01', '2024-02-01'],
      ],
    )
  })
})

describe('a deleted key', () => {
  it('is known from the record of its deletion', () => {
    const materials = [1, 2, 3].map(number => ({
      ...aMaterial(number),
      ...(number > 1 && { rotation: { type: 'ON_DEMAND', date: number * 1000 } as const }),
    }))
    const key: Key = { ...aKey(1), creationDate: 500, materials }
    expect(formerKeyIn(JSON.parse(JSON.stringify(recordedKey(key))))).toEqual({
      spec: 'SYMMETRIC_DEFAULT',
      createdAt: 500,
      rotatedAt: [2000, 3000],
    })
  })

  it.each([undefined, null, {}, { hsm: 'main' }])('is not known from %j', recorded => {
    expect(formerKeyIn(recorded)).toBeUndefined()
  })
})

describe('a report', () => {
  const time = { month: '2026-11', day: '2026-11-28' }
  const encrypt = { account: '1', keyArn: 'k', operation: 'Encrypt', pairSpec: '', errorCode: '', calls: 10_000 }
  const ofSpec = (spec: string) => ({ spec, isOwnedByService: false })
  const symmetric = ofSpec('SYMMETRIC_DEFAULT')
  const none = { ...prices, freeRequests: 0 }

  it.each([
    ['calls', 0.03, {}, symmetric, none],
    ['calls of another kind', 0.15, { operation: 'Sign' }, ofSpec('RSA_3072'), none],
    ['data key pairs', 12, { operation: 'GenerateDataKeyPair', pairSpec: 'RSA_2048' }, symmetric, none],
    ['calls that failed', 0, { errorCode: 'DisabledException' }, symmetric, none],
    ['those, if they cost', 0.03, { errorCode: 'DisabledException' }, symmetric, { ...none, failedRequests: true }],
    ['calls of nobody', 0, { account: '' }, symmetric, none],
    ['calls with AWS owned keys', 0, {}, { ...symmetric, isOwnedByService: true }, none],
    ['calls with an unknown key', 0.03, {}, undefined, none],
    ['free calls', 0, {}, symmetric, prices],
  ])('has the cost of %s: %d for 10,000', (_, cost, rest, key, list) => {
    const report = new UsageReport(['account'], list)
    report.addCalls(time, { ...encrypt, ...rest }, key)
    expect(report.finish().total).toMatchObject({ calls: 10_000, cost })
  })

  it('has free requests for each account and month, in rows of their own', () => {
    const report = new UsageReport(['month', 'account', 'kind'], prices)
    for (const month of ['2026-10', '2026-11'])
      report.addCalls({ month, day: '' }, { ...encrypt, calls: 30_000 }, symmetric)
    report.addCalls(time, { ...encrypt, account: '2' }, symmetric)
    report.addCalls(time, { ...encrypt, account: '3', operation: 'Sign' }, ofSpec('RSA_2048'))
    const { rows, total } = report.finish()
    expect(rows.map(({ month, account, kind, cost }) => [month, account, kind, cost])).toEqual([
      ['2026-10', '1', 'standard', 0.09],
      ['2026-10', '1', 'freeRequests', -0.06],
      ['2026-11', '1', 'standard', 0.09],
      ['2026-11', '2', 'standard', 0.03],
      ['2026-11', '3', 'rsa2048', 0.03],
      ['2026-11', '2', 'freeRequests', -0.03],
      ['2026-11', '1', 'freeRequests', -0.06],
    ])
    expect(total).toEqual({ calls: 80_000, failedCalls: 0, keyMonths: 0, cost: 0.09 })
  })

  it.each<[Dimension[], object[]]>([
    [['account'], [{ account: '1', calls: 10_000, cost: 0.03 }]],
    [
      ['key'],
      [
        { key: 'to', calls: 10_000, cost: 0.03 },
        { key: 'from', calls: 10_000, cost: 0 },
      ],
    ],
    [
      ['key', 'operation'],
      [
        { key: 'to', operation: 'ReEncrypt', calls: 10_000 },
        { key: 'from', operation: 'ReEncrypt', calls: 10_000 },
      ],
    ],
  ])('by %j has a ReEncrypt once, or with each of its keys', (by, expected) => {
    const report = new UsageReport(by, none)
    report.addCalls(time, { ...encrypt, operation: 'ReEncrypt', keyArn: 'to' }, symmetric)
    report.addCalls(time, { ...encrypt, operation: 'ReEncryptFrom', keyArn: 'from' }, symmetric)
    const { rows, total } = report.finish()
    expect(rows).toMatchObject(expected)
    expect(total).toEqual({ calls: 10_000, failedCalls: 0, keyMonths: 0, cost: 0.03 })
  })

  const anyCalls = fc.record({
    account: fc.constantFrom('', '1', '2'),
    keyArn: fc.constantFrom('', 'a', 'b'),
    operation: fc.constantFrom('Encrypt', 'Sign', 'ListKeys'),
    pairSpec: fc.constantFrom('', 'RSA_2048'),
    errorCode: fc.constantFrom('', 'AccessDenied'),
    calls: fc.integer({ min: 1, max: 1e9 }),
  })

  it('has the same total whatever it is divided by, which is the sum of its rows', () => {
    fc.assert(
      fc.property(fc.array(anyCalls), fc.subarray<Dimension>([...dimensions]), (all, by) => {
        const [divided, whole] = [by, []].map(by => {
          const report = new UsageReport(by, prices)
          for (const calls of all) report.addCalls(time, calls, calls.keyArn === 'b' ? ofSpec('RSA_4096') : symmetric)
          report.addKey(time, { account: '1', arn: 'a' }, 0.25)
          return report.finish()
        })
        expect(divided!.total).toEqual(whole!.total)
        for (const name of ['calls', 'failedCalls', 'keyMonths', 'cost'] as const)
          expect(divided!.rows.reduce((sum, row) => sum + row[name], 0)).toBeCloseTo(divided!.total[name], 4)
        for (const row of divided!.rows) expect(Object.keys(row).slice(0, by.length)).toEqual(by)
      }),
      { numRuns: 50 },
    )
  })
})
