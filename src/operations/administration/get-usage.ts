import { setImmediate as nextTurn } from 'node:timers/promises'
import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { keyMonths } from '../../model/usage/key-months.ts'
import { dayOf, periodsBetween, type UsagePeriod } from '../../model/usage/periods.ts'
import { dimensions, UsageReport, type UsageRow, type UsageSum } from '../../model/usage/usage-report.ts'
import { accountOf } from './accounts.ts'
import { type ChargedKey, KnownKeys } from './known-keys.ts'
import { accountId, operation } from './operation.ts'

export interface Usage {
  /** First and last day, YYYY-MM-DD; the last may not be over. */
  readonly from: string
  readonly to: string
  /** The first day with calls on record, if that is later than `from`. */
  readonly recordsFrom?: string | undefined
  readonly currency: string
  readonly rows: readonly UsageRow[]
  readonly total: UsageSum
}

const date = z.iso.date('not a day, such as 2026-11-28')

const schema = z.strictObject({
  /** Default: the first of the month of `to`. */
  from: date.optional(),
  /** Default: today. */
  to: date.optional(),
  account: accountId.optional(),
  by: z.array(z.enum(dimensions)).default(['account']),
})

/** A longer answer would take too much memory. */
const mostRows = 50_000
/** Each costs a look at every key. */
const mostPeriods = 400
const day = 24 * 60 * 60 * 1000
/** Milliseconds. */
const longestRange = mostPeriods * 31 * day

/** Calls and keys on record, and what they cost. */
export const getUsage = operation({
  name: 'GetUsage',
  readOnly: true,
  schema,
  recorded: ['from', 'to', 'account', 'by'],
  async run({ input, storage, clock, metering }): Promise<Usage> {
    const { account, by } = input
    const now = clock()
    const { to = dayOf(now) } = input
    const { from = `${to.slice(0, 'YYYY-MM'.length)}-01` } = input
    const periods = checkedPeriods(from, to, by.includes('day') ? 'day' : 'month')
    const report = new UsageReport(by, metering.prices)
    const onRecord = await metering.usage()
    const keys = new KnownKeys(storage, await onRecord.deletedKeys())
    for (const period of periods) {
      if (period.start > now) break
      for await (const some of onRecord.calls({ ...period, account })) {
        for (const calls of some) report.addCalls(period, calls, keys.find(calls.keyArn))
        await nextTurn()
      }
      const untilNow = { ...period, end: Math.min(period.end, now) }
      await addKeys(report, untilNow, keys.charged(account), metering.prices.chargedRotations)
      if (report.size > mostRows)
        throw new Failure('Validation', `more than ${mostRows} rows: choose one account, fewer days, or less detail`)
    }
    // One that was deleted has no record, and may have rows.
    if (report.size === 0 && account !== undefined) accountOf({ account }, storage)
    const recordsFrom = await onRecord.firstDay()
    const { currency } = metering.prices
    return { from, to, ...(recordsFrom && recordsFrom > from && { recordsFrom }), currency, ...report.finish() }
  },
})

function checkedPeriods(from: string, to: string, unit: 'day' | 'month'): readonly UsagePeriod[] {
  if (from > to) throw new Failure('Validation', `the range ends before it begins: ${from} to ${to}`)
  const periods = Date.parse(to) - Date.parse(from) > longestRange ? [] : periodsBetween(from, to, unit)
  if (periods.length > 0 && periods.length <= mostPeriods) return periods
  throw new Failure('Validation', `more than ${mostPeriods} ${unit}s from ${from} to ${to}: choose fewer`)
}

/** Other requests go on meanwhile. */
async function addKeys(
  report: UsageReport,
  period: UsagePeriod,
  keys: Iterable<ChargedKey>,
  chargedRotations: number,
): Promise<void> {
  let count = 0
  for (const key of keys) {
    report.addKey(period, key, keyMonths(key.life, period, chargedRotations))
    if (++count % 1000 === 0) await nextTurn()
  }
}
