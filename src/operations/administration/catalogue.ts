// Written by scripts/catalogue.ts.
import { listAccounts } from './list-accounts.ts'

export const operations = [
  listAccounts,
] as const
