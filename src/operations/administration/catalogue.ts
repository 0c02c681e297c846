// Written by scripts/catalogue.ts.
import { applyIdentities } from './apply-identities.ts'
import { exportIdentities } from './export-identities.ts'
import { listAccounts } from './list-accounts.ts'

export const operations = [
  applyIdentities,
  exportIdentities,
  listAccounts,
] as const
