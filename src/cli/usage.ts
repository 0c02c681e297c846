import { InvalidArgumentError } from 'commander'
import type { KeyUsage } from '../operations/administration/list-key-usage.ts'
import { command } from './command.ts'
import { administer, printColumns, printJson, shownTime, withDataOptions } from './identity-options.ts'
import { type ConfigOptions, parseAccount } from './options.ts'

interface UsageOptions extends ConfigOptions {
  readonly account?: string
  readonly limit?: number
  readonly json?: boolean
}

interface Usage {
  readonly encryptionLimit: number
  readonly systemKeys: readonly KeyUsage[]
  readonly keys: readonly KeyUsage[]
}

export const usage = command(program => {
  withDataOptions(program.command('usage'))
    .description("list encryptions and last use of keys: the gateway's own, then those with the most encryptions")
    .option('--account <id>', 'only KMS keys of this AWS account', parseAccount)
    .option('--limit <n>', 'number of KMS keys (default: 20)', parseLimit)
    .option('--json', 'print them as JSON')
    .action(({ account, limit, ...options }: UsageOptions) =>
      administer(options, async call => {
        const found = await call<Usage>('ListKeyUsage', { account, limit })
        if (options.json) return printJson(found)
        const { encryptionLimit, systemKeys, keys } = found
        printColumns([...systemKeys, ...keys].map(usage => columnsOf(usage, encryptionLimit)))
      }),
    )
})

function columnsOf({ key, hsm = '', encryptions, lastUse }: KeyUsage, limit: number): readonly string[] {
  const count = encryptions === undefined ? '' : `${encryptions} encryptions`
  const share = encryptions === undefined ? '' : `${((encryptions / limit) * 100).toFixed(1)}%`
  return [key, hsm, count, share, lastUse ? `last used ${shownTime(lastUse.usedAt)} by ${lastUse.operation}` : '']
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (/^\d{1,4}$/.test(text) && limit >= 1 && limit <= 1000) return limit
  throw new InvalidArgumentError('A limit is a number from 1 to 1000.')
}
