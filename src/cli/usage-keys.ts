/** `strongroom usage keys`: encryptions and last use of keys. */
import type { KeyUsage } from '../operations/administration/list-key-usage.ts'
import { administer, printColumns, printJson, shownTime } from './identity-options.ts'
import type { ConfigOptions } from './options.ts'

export interface KeysOptions extends ConfigOptions {
  readonly account?: string
  readonly limit?: number
  readonly json?: boolean
}

interface Usage {
  readonly encryptionLimit: number
  readonly systemKeys: readonly KeyUsage[]
  readonly keys: readonly KeyUsage[]
}

export async function printKeys({ account, limit, ...options }: KeysOptions): Promise<void> {
  await administer(options, async call => {
    const found = await call<Usage>('ListKeyUsage', { account, limit })
    if (options.json) return printJson(found)
    const { encryptionLimit, systemKeys, keys } = found
    printColumns([...systemKeys, ...keys].map(usage => columnsOf(usage, encryptionLimit)))
  })
}

function columnsOf({ key, hsm = '', encryptions, lastUse }: KeyUsage, limit: number): readonly string[] {
  const count = encryptions === undefined ? '' : `${encryptions} ${encryptions === 1 ? 'encryption' : 'encryptions'}`
  const share = encryptions === undefined ? '' : `${((encryptions / limit) * 100).toFixed(1)}%`
  return [key, hsm, count, share, lastUse ? `last used ${shownTime(lastUse.usedAt)} by ${lastUse.operation}` : '']
}
