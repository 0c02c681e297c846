import fc from 'fast-check'
import { Kysely } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AuditRecord } from '../../../src/audit/entry.ts'
import { UsageCounts } from '../../../src/audit/index/usage-counts.ts'
import {
  addUsage,
  createUsageTables,
  readCalls,
  readDeletions,
  readFirstDay,
  type UsageTables,
} from '../../../src/audit/index/usage-tables.ts'
import { sqlite } from '../../../src/storage/engines/sqlite.ts'
import { aRecord } from '../records.ts'

const [home, other] = ['111122223333', '444455556666']
const arn = (number: number, account = home) =>
  `arn:aws:kms:eu-west-1:${account}:key/00000000-0000-4000-8000-00000000000${number}`
const resources = (...arns: readonly string[]) => arns.map(ARN => ({ ARN, accountId: ARN.split(':')[4]! }))

/** A successful Encrypt with key 1, by its account. */
function call(rest: Partial<AuditRecord> = {}): AuditRecord {
  const userIdentity = { type: 'IAMUser', accountId: rest.recipientAccountId ?? home }
  return aRecord(1, { readOnly: true, recipientAccountId: home, userIdentity, resources: resources(arn(1)), ...rest })
}

let db: Kysely<UsageTables>
beforeEach(async () => {
  db = new Kysely<UsageTables>({ dialect: sqlite(':memory:').dialect })
  await createUsageTables(db, 'text')
})
afterEach(() => db.destroy())

/** Counts them, as one chunk of the journal. */
async function add(...records: readonly AuditRecord[]): Promise<void> {
  const counts = new UsageCounts(['kms.amazonaws.com'])
  for (const record of records) counts.add(record)
  await db.transaction().execute(tx => addUsage(tx, counts.rows))
}

const always = { from: '0000-00-00', to: '9999-99-99' }

describe('calls', () => {
  /** What is counted of one record: `count operation key account error`, with keys by their number. */
  async function counted(record: AuditRecord): Promise<readonly string[]> {
    await add(record)
    const rows = await readCalls(db, always)
    return rows
      .map(({ calls, operation, pairSpec, keyArn, account, errorCode }) =>
        [calls, operation, pairSpec, keyArn && `key-${keyArn.at(-1)}`, account, errorCode].filter(Boolean).join(' '),
      )
      .sort()
  }

  it.each<[string, Partial<AuditRecord>, readonly string[]]>([
    ['a call that succeeded', {}, [`1 Encrypt key-1 ${home}`]],
    ['one that failed', { errorCode: 'DisabledException' }, [`1 Encrypt key-1 ${home} DisabledException`]],
    ['one that uses no key', { eventName: 'GenerateRandom', resources: [] }, [`1 GenerateRandom ${home}`]],
    ['one of nobody, and of no operation', { ...call(), ...nobody() }, ['1 AccessDenied']],
    [
      'a data key pair, by its key spec',
      { eventName: 'GenerateDataKeyPair', requestParameters: { keyPairSpec: 'RSA_4096' } },
      [`1 GenerateDataKeyPair RSA_4096 key-1 ${home}`],
    ],
    [
      'a ReEncrypt, with both keys',
      { eventName: 'ReEncrypt', resources: resources(arn(1), arn(2)) },
      [`1 ReEncrypt key-2 ${home}`, `1 ReEncryptFrom key-1 ${home}`],
    ],
    ['a ReEncrypt under the same key', { eventName: 'ReEncrypt' }, [`1 ReEncrypt key-1 ${home}`]],
    ['a ReEncrypt of no key', { eventName: 'ReEncrypt', resources: [] }, [`1 ReEncrypt ${home}`]],
    [
      'a change of an alias, with its key',
      { eventName: 'CreateAlias', resources: resources('arn:aws:kms:eu-west-1:1:alias/a', arn(1)) },
      [`1 CreateAlias key-1 ${home}`],
    ],
    ['a call with the key of another account', { resources: resources(arn(1, other)) }, [`1 Encrypt key-1 ${home}`]],
    ['a service that calls for itself', byService(), [`1 Encrypt key-1 ${home}`]],
  ])('%s', async (_, rest, expected) => {
    expect(await counted(call(rest))).toEqual(expected)
  })

  function nobody(): Partial<AuditRecord> {
    return {
      recipientAccountId: undefined,
      userIdentity: undefined,
      eventName: undefined,
      resources: undefined,
      errorCode: 'AccessDenied',
    }
  }

  function byService(): Partial<AuditRecord> {
    return { recipientAccountId: undefined, userIdentity: { type: 'AWSService', invokedBy: 's3.amazonaws.com' } }
  }

  it.each<[string, Partial<AuditRecord>]>([
    ['what the gateway does itself', { eventType: 'AwsServiceEvent' }],
    ['calls of other APIs', { eventSource: 'sts.amazonaws.com' }],
    [
      'the record of a call for the account of the key',
      { sharedEventID: 'x', recipientAccountId: other, userIdentity: { accountId: home } },
    ],
  ])('do not include %s', async (_, rest) => {
    expect(await counted(call(rest))).toEqual([])
  })

  it.each(['AccessDenied', 'NotFoundException'])(
    'have no key if they were refused with %s and name one of another account, which may not exist',
    async errorCode => {
      expect(await counted(call({ errorCode, resources: resources(arn(1, other)) }))).toEqual([
        `1 Encrypt ${home} ${errorCode}`,
      ])
      await db.deleteFrom('usage_calls').execute()
      expect(await counted(call({ errorCode }))).toEqual([`1 Encrypt key-1 ${home} ${errorCode}`])
    },
  )

  const time = fc.constantFrom('2026-11-27T23:59:59.999Z', '2026-11-28T00:00:00Z', '2026-12-01T12:00:00.000Z')
  const anyCall = fc
    .record({
      eventTime: time,
      eventName: fc.constantFrom('Encrypt', 'ReEncrypt', 'ListKeys'),
      recipientAccountId: fc.constantFrom(home, other),
      errorCode: fc.option(fc.constantFrom('DisabledException', 'AccessDenied'), { nil: undefined }),
      resources: fc.subarray([1, 2, 3]).map(numbers => resources(...numbers.map(number => arn(number)))),
    })
    .map(call)

  it('are as many as the records of a range of days, however these are cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(anyCall, { maxLength: 8 }), { maxLength: 6 }),
        fc.constantFrom('2026-11-27', '2026-11-28', '2026-12-01'),
        fc.constantFrom('2026-11-27', '2026-11-28', '2026-12-01'),
        async (chunks, from, to) => {
          await db.deleteFrom('usage_calls').execute()
          for (const chunk of chunks) await add(...chunk)
          const rows = await readCalls(db, { from, to })
          const records = chunks.flat().filter(({ eventTime }) => {
            const day = eventTime.slice(0, 10)
            return day >= from && day <= to
          })
          for (const eventName of ['Encrypt', 'ReEncrypt', 'ListKeys'])
            for (const account of [home, other])
              for (const errorCode of ['', 'DisabledException', 'AccessDenied'])
                expect(
                  rows
                    .filter(
                      row => row.operation === eventName && row.account === account && row.errorCode === errorCode,
                    )
                    .reduce((sum, { calls }) => sum + calls, 0),
                ).toBe(
                  records.filter(
                    record =>
                      record.eventName === eventName &&
                      record.recipientAccountId === account &&
                      (record.errorCode ?? '') === errorCode,
                  ).length,
                )
        },
      ),
      { numRuns: 50 },
    )
  })

  it('can be read of one account, and begin on the first day', async () => {
    expect(await readFirstDay(db)).toBeUndefined()
    await add(call(), call({ recipientAccountId: other, eventTime: '2024-02-29T00:00:00Z' }))
    expect(await readCalls(db, { ...always, account: other })).toMatchObject([{ account: other, calls: 1 }])
    expect(await readFirstDay(db)).toBe('2024-02-29')
  })

  it('of a chunk with more of them than a statement has parameters are all added', async () => {
    await add(...Array.from({ length: 6000 }, (_, number) => call({ resources: resources(`${arn(1)}-${number}`) })))
    expect(await readCalls(db, always)).toHaveLength(6000)
  })
})

describe('deletions of keys', () => {
  const at = (seconds: number) => new Date(seconds * 1000).toISOString()
  const schedule = (seconds: number) =>
    call({ eventName: 'ScheduleKeyDeletion', readOnly: false, eventTime: at(seconds) })
  const cancel = call({ eventName: 'CancelKeyDeletion', readOnly: false })
  const deletion = (additionalEventData = {}) =>
    aRecord(9, {
      ...{ eventType: 'AwsServiceEvent', eventName: 'DeleteKey', readOnly: false, eventTime: at(9) },
      ...{ resources: resources(arn(1)), additionalEventData },
    })
  const strongroom = { keySpec: 'RSA_2048', creationDate: at(1), rotationDates: [at(2), at(3)] }
  const key = { spec: 'RSA_2048', createdAt: 1000, rotatedAt: [2000, 3000] }

  it.each<[string, readonly AuditRecord[], object[]]>([
    ['are known from when they were scheduled', [schedule(5)], [{ scheduledAt: 5000 }]],
    ['that failed to be scheduled are none', [{ ...schedule(5), errorCode: 'KMSInvalidStateException' }], []],
    ['that were cancelled are none', [schedule(5), cancel], []],
    ['are as scheduled last', [schedule(5), cancel, schedule(7)], [{ scheduledAt: 7000 }]],
    [
      'have the key from the record of its deletion',
      [schedule(5), deletion({ strongroom })],
      [{ scheduledAt: 5000, deletedAt: 9000, key }],
    ],
    ['may have no key, in records of older versions', [deletion()], [{ deletedAt: 9000 }]],
  ])('%s', async (_, records, expected) => {
    for (const record of records) await add(record)
    const found = await readDeletions(db)
    expect(found).toEqual(
      expected.map(rest => ({
        keyArn: arn(1),
        ...{ scheduledAt: undefined, deletedAt: undefined, key: undefined },
        ...rest,
      })),
    )
    // The same in one chunk.
    await db.deleteFrom('key_deletions').execute()
    await add(...records)
    expect(await readDeletions(db)).toEqual(found)
  })
})
