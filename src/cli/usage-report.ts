/** `strongroom usage report`: what was used, and what it would cost. */
import type { Dimension, UsageRow, UsageSum } from '../model/usage/usage-report.ts'
import type { Usage } from '../operations/administration/get-usage.ts'
import { administer, print, printColumns, printJson } from './identity-options.ts'
import type { ConfigOptions } from './options.ts'

export interface ReportOptions extends ConfigOptions {
  readonly from?: string
  readonly to?: string
  readonly account?: string
  readonly by: readonly Dimension[]
  readonly json?: boolean
  readonly csv?: boolean
}

export async function printReport({ from, to, account, by, json, csv, ...options }: ReportOptions): Promise<void> {
  await administer(options, async call => {
    const usage = await call<Usage>('GetUsage', { from, to, account, by })
    if (json) printJson(usage)
    else if (csv) printCsv(usage, by)
    else printTable(usage, by)
  })
}

/** RFC 4180. No value has a comma, a quote or a newline: they are names, ids and numbers. */
function printCsv({ rows, currency }: Usage, by: readonly Dimension[]): void {
  const lines = rows.map(row => [...by.map(name => row[name]), ...sumsOf(row), currency])
  const head = [...by, 'calls', 'failed_calls', 'key_months', 'cost', 'currency']
  for (const line of [head, ...lines]) process.stdout.write(`${line.join(',')}\r\n`)
}

function sumsOf({ calls, failedCalls, keyMonths, cost }: UsageSum): readonly number[] {
  return [calls, failedCalls, keyMonths, cost]
}

function printTable({ from, to, recordsFrom, currency, rows, total }: Usage, by: readonly Dimension[]): void {
  print(`From ${from} to ${to}, in UTC:`)
  const sums = rightAligned([
    ['calls', 'failed', 'key-months', `cost in ${currency}`],
    ...[...rows, total].map(({ calls, failedCalls, keyMonths, cost }) => [
      grouped(calls),
      grouped(failedCalls),
      fixed(keyMonths),
      fixed(cost),
    ]),
  ])
  const names = [by, ...rows.map(row => by.map(name => nameOf(row, name))), ['total', ...by.slice(1).map(() => '')]]
  printColumns(names.map((line, index) => [...line, ...sums[index]!]))
  if (recordsFrom) print(`Calls before ${recordsFrom} are not on record.`)
}

function nameOf(row: UsageRow, name: Dimension): string {
  return row[name] || '-'
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

function fixed(amount: number): string {
  return amount.toFixed(4).replace(/^-(?=0\.0000$)/, '')
}

function rightAligned(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row => row.map((cell, column) => cell.padStart(widths[column]!)))
}
