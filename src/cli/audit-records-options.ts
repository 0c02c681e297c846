import { type Command, InvalidArgumentError, Option } from 'commander'
import { formats } from './audit-export-formats.ts'
import { parseNumber, withJournalOptions } from './journal-options.ts'
import { parseAccount } from './options.ts'

/** The commands that read the records of a journal, and their options. */

export function addQuery(group: Command): void {
  withFilterOptions(group.command('query'))
    .description('list audit records, the oldest first')
    .option('--limit <n>', 'no more records than that', parseNumber)
    .option('--json', 'print the records as JSON, one a line')
    .action(async (files: readonly string[], options) => {
      const { auditQuery } = await import('./audit-query.ts')
      await auditQuery(files, options)
    })
}

export function addTail(group: Command): void {
  withFilterOptions(group.command('tail'))
    .description('list the last audit records, and those that come')
    .option('-n, --lines <n>', 'how many of the last records', parseNumber, 10)
    .option('-f, --follow', 'go on with new records')
    .option('--json', 'print the records as JSON, one a line')
    .action(async (files: readonly string[], options) => {
      const { auditTail } = await import('./audit-tail.ts')
      await auditTail(files, options)
    })
}

export function addExport(group: Command): void {
  withFilterOptions(group.command('export'))
    .description('write audit records for other tools, the oldest first')
    .addOption(
      new Option(
        '--format <format>',
        'jsonl: a record a line; cloudtrail: {"Records": [...]}, as the files of CloudTrail; csv: the main members',
      )
        .choices(Object.keys(formats))
        .default('jsonl'),
    )
    .action(async (files: readonly string[], options) => {
      const { auditExport } = await import('./audit-export.ts')
      await auditExport(files, options)
    })
}

function withFilterOptions(command: Command): Command {
  return withJournalOptions(command)
    .option('--key <id>', 'of a key: its ID or ARN; or that name an alias: its name or ARN')
    .option('--caller <name>', 'of a caller: ARN or name of a user, role or session, access key ID, service')
    .option('--operation <name>', 'such as Encrypt, with or without the prefix of its API', parseOperation)
    .option('--outcome <outcome>', 'success, failure, or an error code such as AccessDenied')
    .option('--id <id>', 'event ID or request ID')
    .option('--account <id>', 'of an account', parseAccount)
    .option('--since <time>', 'from a time on: 2026-11-28, 2026-11-28T10:41:07Z, or 90m, 24h, 7d ago', parseTime)
    .option('--until <time>', 'before a time', parseTime)
}

function parseOperation(text: string): string {
  if (/^(?:[\w-]+:)?[a-zA-Z]\w*$/.test(text)) return text
  throw new InvalidArgumentError('An operation is named as in Encrypt.')
}

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** In milliseconds since the epoch. UTC, unless it has an offset. */
function parseTime(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (unit !== undefined) return performance.timeOrigin - Number(count) * units[unit]!
  const [, date, time, zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?$/i.exec(text) ?? []
  const day = Date.parse(`${date}T00:00:00Z`)
  const exists = date !== undefined && !Number.isNaN(day) && isDay(date, day)
  const parsed = exists ? Date.parse(`${date}T${time ?? '00:00'}${zone.toUpperCase()}`) : Number.NaN
  if (!Number.isNaN(parsed)) return parsed
  throw new InvalidArgumentError('A time is written as 2026-11-28, 2026-11-28T10:41:07Z or 24h.')
}

/** There is no 31 February. */
function isDay(date: string, time: number): boolean {
  return new Date(time).toISOString().startsWith(date)
}
