import { Counter, type Registry } from 'prom-client'
import type { Calls } from '../model/usage/calls.ts'
import { reEncryptFrom } from '../model/usage/calls.ts'

/** Accounts with a label of their own: in emulator mode, callers make accounts up. Those beyond are `other`. */
const mostAccounts = 1000

/** Calls by account and operation; not by key, as there may be 100,000 keys. */
export function meteredCalls(registry: Registry): (calls: readonly Calls[]) => void {
  const accounts = new Set<string>()
  const counter = new Counter({
    name: 'strongroom_metered_calls_total',
    help: 'Calls on record since the start, by account and operation',
    labelNames: ['account', 'operation'],
    registers: [registry],
  })
  return metered => {
    for (const { account, operation, calls } of metered) {
      if (operation === reEncryptFrom) continue
      if (accounts.size < mostAccounts) accounts.add(account)
      const labels = { account: accounts.has(account) ? account || 'none' : 'other', operation: operation || 'none' }
      counter.inc(labels, calls)
    }
  }
}
