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
import { schema as configuration } from '../../../src/config.ts'
import type { Key } from '../../../src/model/keys/key.ts'
import { recordedKey } from '../../../src/model/usage/deleted-key.ts'
import type { Prices } from '../../../src/model/usage/prices.ts'
import { getUsage, type Usage } from '../../../src/operations/administration/get-usage.ts'
import type { UsageOnRecord } from '../../../src/services.ts'
import { sqlite } from '../../../src/storage/engines/sqlite.ts'
import { Changes, type Storage } from '../../../src/storage/storage.ts'
import { aRecord } from '../../audit/records.ts'
import { openHere } from '../../storage/open.ts'
import { account, aKey, aMaterial, anAccount } from '../../storage/records.ts'

/** What calls and keys cost, by the records of calls and the keys in storage. */

const at = (text: string) => Date.parse(text)
/** The middle of November. */
const now = at('2026-11-16')

let storage: Storage
let index: Kysely<UsageTables>
let prices: Prices
beforeEach(async () => {
  storage = await openHere(sqlite(':memory:', { create: true }))
  const changes = new Changes()
  changes.put('accounts', anAccount(account))
  await storage.commit(changes)
  index = new Kysely<UsageTables>({ dialect: sqlite(':memory:').dialect })
  await createUsageTables(index, 'text')
  prices = { ...configuration.shape.prices.parse({}), freeRequests: 0 }
})
afterEach(async () => {
  await storage.close()
  await index.destroy()
})

async function usage(asked: object = {}): Promise<Usage> {
  const input = getUsage.schema.parse(asked)
  const onRecord: UsageOnRecord = {
    async *calls(days) {
      yield await readCalls(index, days)
    },
    firstDay: () => readFirstDay(index),
    deletedKeys: () => readDeletions(index),
  }
  const metering = { prices, usage: async () => onRecord }
  return (await getUsage.run({ input, storage, clock: () => now, metering } as never)) as Usage
}

async function stored(number: number, rest: Partial<Key> = {}): Promise<Key> {
  const key = aKey(number, { creationDate: 0, ...rest })
  const changes = new Changes()
  changes.put('keys', key)
  await storage.commit(changes)
  return key
}

/** Adds the record of a successful call so many times. */
async function called(eventName: string, { arn }: Pick<Key, 'arn'>, times = 1, rest: Partial<AuditRecord> = {}) {
  const counts = new UsageCounts(['kms.amazonaws.com'])
  const userIdentity = { accountId: account }
  const resources = [{ ARN: arn, accountId: account }]
  const eventTime = '2026-11-10T12:00:00.000Z'
  const record = {
    eventName,
    readOnly: false,
    recipientAccountId: account,
    userIdentity,
    resources,
    eventTime,
    ...rest,
  }
  for (let time = 0; time < times; time++) counts.add(aRecord(time, record))
  await addUsage(index, counts.rows)
}

describe('keys', () => {
  it.each<[string, Partial<Key>, number]>([
    ['cost half a month in the middle of it', {}, 0.5],
    ['cost less if they were created since', { creationDate: at('2026-11-15') }, 24 / 720],
    ['cost more after a rotation', { materials: [aMaterial(1), rotated(2, at('2026-11-15'))] }, 0.5 + 24 / 720],
    ['of services are free', { manager: { service: 's3.amazonaws.com', owned: false } }, 0],
    [
      'pending deletion are as if it had been scheduled 30 days before, without its record',
      { state: 'PendingDeletion', deletionDate: at('2026-12-02') },
      24 / 720,
    ],
  ])('%s', async (_, rest, expected) => {
    await stored(1, rest)
    const { total } = await usage()
    expect(total.keyMonths).toBeCloseTo(expected, 6)
    expect(total.cost).toBeCloseTo(expected, 6)
  })

  function rotated(number: number, date: number) {
    return { ...aMaterial(number), rotation: { type: 'AUTOMATIC', date } as const }
  }

  it('are free from when their deletion was scheduled, also after they are deleted', async () => {
    const deletionDate = at('2026-12-31')
    const key = await stored(1, { state: 'PendingDeletion', deletionDate })
    await called('ScheduleKeyDeletion', key, 1, { eventTime: '2026-11-02T00:00:00.000Z' })
    const keyMonths = 24 / 720
    expect((await usage()).total.keyMonths).toBeCloseTo(keyMonths, 6)
    const changes = new Changes()
    changes.remove('keys', storage.keys.find(key.arn)!)
    await storage.commit(changes)
    await called('DeleteKey', key, 1, {
      eventType: 'AwsServiceEvent',
      additionalEventData: { strongroom: recordedKey(key) },
    })
    const { rows, total } = await usage({ by: ['key', 'kind'] })
    expect(total.keyMonths).toBeCloseTo(keyMonths, 6)
    expect(rows[0]).toMatchObject({ key: key.arn, kind: 'keyMonth' })
  })

  it('cost as much as if it had never been scheduled, once that is cancelled', async () => {
    const key = await stored(1)
    await called('ScheduleKeyDeletion', key)
    await called('CancelKeyDeletion', key)
    expect((await usage()).total.keyMonths).toBeCloseTo(0.5, 6)
  })
})

describe('calls', () => {
  it('cost by the key spec of their key, also of one that is deleted', async () => {
    const key = await stored(1, { spec: 'RSA_4096', usage: 'SIGN_VERIFY' })
    await called('Sign', key, 10)
    const signing = { calls: 10, cost: 0.00015 }
    expect((await usage({ by: ['kind'] })).rows).toContainEqual(
      expect.objectContaining({ kind: 'asymmetric', ...signing }),
    )
    const changes = new Changes()
    changes.remove('keys', storage.keys.find(key.arn)!)
    await storage.commit(changes)
    const strongroom = recordedKey(key)
    await called('DeleteKey', key, 1, { eventType: 'AwsServiceEvent', additionalEventData: { strongroom } })
    expect((await usage({ by: ['kind'] })).rows).toContainEqual(
      expect.objectContaining({ kind: 'asymmetric', ...signing }),
    )
  })

  it('are those of the month, or of the days asked for', async () => {
    const { arn } = await stored(1)
    await called('Encrypt', { arn }, 3, { eventTime: '2026-10-31T23:59:59.999Z' })
    await called('Encrypt', { arn }, 2, { eventTime: '2026-11-01T00:00:00.000Z' })
    expect(await usage()).toMatchObject({ from: '2026-11-01', to: '2026-11-16', total: { calls: 2 } })
    expect(await usage({ to: '2026-10-31' })).toMatchObject({ from: '2026-10-01', total: { calls: 3 } })
    const { rows } = await usage({ from: '2026-10-30', to: '2026-11-02', by: ['day', 'operation'] })
    expect(rows.filter(({ operation }) => operation).map(({ day, calls }) => [day, calls])).toEqual([
      ['2026-10-31', 3],
      ['2026-11-01', 2],
    ])
    expect((await usage({ from: '2026-01-01' })).recordsFrom).toBe('2026-10-31')
    expect((await usage()).recordsFrom).toBeUndefined()
  })

  it('are those of one account, which may be deleted', async () => {
    const { arn } = await stored(1)
    await called('Encrypt', { arn })
    await called('Encrypt', { arn }, 1, { recipientAccountId: '444455556666' })
    expect((await usage()).total.calls).toBe(2)
    const { rows, total } = await usage({ account: '444455556666' })
    expect(rows).toEqual([{ account: '444455556666', calls: 1, failedCalls: 0, keyMonths: 0, cost: 0.000003 }])
    expect(total.calls).toBe(1)
  })
})

describe('a report', () => {
  it.each([
    [{ from: '2026-11-02', to: '2026-11-01' }, 'the range ends before it begins: 2026-11-02 to 2026-11-01'],
    [{ from: '2024-01-01', to: '2026-11-01', by: ['day'] }, /^more than 400 days from/],
    [{ from: '0001-01-01', to: '9999-12-31' }, /^more than 400 months from/],
    [{ account: '999999999999' }, 'there is no account 999999999999'],
  ])('is refused for %j', async (asked, message) => {
    await expect(usage(asked)).rejects.toThrow(message)
  })

  it.each([{ from: '2026-02-30' }, { to: 'today' }, { by: ['colour'] }, { account: '1' }])(
    'is not valid for %j',
    asked => {
      expect(getUsage.schema.safeParse(asked).success).toBe(false)
    },
  )

  it('of days to come is empty', async () => {
    await stored(1)
    expect((await usage({ from: '2026-12-01', to: '2026-12-31' })).rows).toEqual([])
  })
})
