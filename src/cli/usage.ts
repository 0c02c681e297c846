import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { command } from './command.ts'
import { withDataOptions } from './identity-options.ts'
import { parseAccount } from './options.ts'
import type { KeysOptions } from './usage-keys.ts'
import type { ReportOptions } from './usage-report.ts'

export const usage = command(program => {
  const group = program
    .command('usage')
    .description('how much was used, and what it would cost (report, the default); encryptions and last use (keys)')
    .helpCommand(false)
  addReport(group)
  addKeys(group)
})

const dimensions = ['month', 'day', 'account', 'key', 'operation', 'kind']

function addReport(group: Command): void {
  withDataOptions(group.command('report', { isDefault: true }))
    .description('calls on record, months of keys, and what they would cost by the prices of the configuration')
    .option('--from <day>', 'first day, YYYY-MM-DD, as all days in UTC (default: first of the month)', parseDay)
    .option('--to <day>', 'last day (default: today)', parseDay)
    .option('--account <id>', 'only what this AWS account pays for', parseAccount)
    .addOption(
      new Option('--by <list>', `rows for each ${dimensions.join(', ')}; several with commas`)
        .argParser(parseDimensions)
        .default(['account'], 'account'),
    )
    .option('--json', 'print the report as JSON')
    .addOption(new Option('--csv', 'print the rows as CSV').conflicts('json'))
    .action(async (options: ReportOptions) => {
      const { printReport } = await import('./usage-report.ts')
      await printReport(options)
    })
}

function addKeys(group: Command): void {
  withDataOptions(group.command('keys'))
    .description("list encryptions and last use of keys: the gateway's own, then those with the most encryptions")
    .option('--account <id>', 'only KMS keys of this AWS account', parseAccount)
    .option('--limit <n>', 'number of KMS keys (default: 20)', parseLimit)
    .option('--json', 'print them as JSON')
    .action(async (options: KeysOptions) => {
      const { printKeys } = await import('./usage-keys.ts')
      await printKeys(options)
    })
}

function parseDay(text: string): string {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN
  // 30 February is a day of March to V8.
  if (!Number.isNaN(time) && new Date(time).toISOString().startsWith(text)) return text
  throw new InvalidArgumentError('A day is written as 2026-11-28.')
}

function parseDimensions(text: string): readonly string[] {
  const given = text.split(',')
  if (given.every(name => dimensions.includes(name)) && new Set(given).size === given.length) return given
  throw new InvalidArgumentError(`Use some of ${dimensions.join(', ')}, each once, with commas.`)
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (/^\d{1,4}$/.test(text) && limit >= 1 && limit <= 1000) return limit
  throw new InvalidArgumentError('A limit is a number from 1 to 1000.')
}
