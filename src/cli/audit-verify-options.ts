import { type Command, InvalidArgumentError } from 'commander'
import type { AuditVerifyOptions } from './audit-verify.ts'
import { collect } from './identity-options.ts'
import { parseNumber, withJournalOptions } from './journal-options.ts'

export function addVerify(group: Command): void {
  withJournalOptions(group.command('verify'))
    .description(
      'prove that audit journals are what the gateways wrote; exit code 1 if they are not, 2 if that cannot be found out',
    )
    .requiredOption('--public-key <pem>', 'public key of the checkpoints, as init wrote it; may be repeated', collect)
    .option('--checkpoints <file>', 'checkpoints that were sent to another place; may be repeated', collect)
    .option('--journal <uuid>', 'the journal it must be (default: that of the first segment)', parseUuid)
    .option('--from <n>', 'first segment that must be there (default: 1)', parseNumber)
    .option('--to <n>', 'last segment (default: the last one there is)', parseNumber)
    .option(
      '--max-unsigned <duration>',
      'time after the last checkpoint that records may be of',
      parseDuration,
      3_600_000,
    )
    .option('--fleet', 'all gateways must be accounted for (default: if there are several journals)')
    .option('--no-fleet', 'each journal by itself, whatever it says of others')
    .option('--json', 'print the result as JSON')
    .action(async (files: readonly string[], options: AuditVerifyOptions) => {
      const { auditVerify } = await import('./audit-verify.ts')
      await auditVerify(files, options)
    })
}

function parseUuid(text: string): string {
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase()
  throw new InvalidArgumentError('A journal is named by a UUID.')
}

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function parseDuration(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (unit !== undefined) return Number(count) * units[unit]!
  throw new InvalidArgumentError('A duration is a whole number with s, m, h or d, such as 10m.')
}
