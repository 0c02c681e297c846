// Written by scripts/catalogue.ts.
import { applyIdentities } from './apply-identities.ts'
import { createAccessKey } from './create-access-key.ts'
import { createAccount } from './create-account.ts'
import { createIdentity } from './create-identity.ts'
import { deleteAccessKey } from './delete-access-key.ts'
import { deleteAccount } from './delete-account.ts'
import { deleteIdentity } from './delete-identity.ts'
import { deleteService } from './delete-service.ts'
import { exportIdentities } from './export-identities.ts'
import { getUsage } from './get-usage.ts'
import { listAccessKeys } from './list-access-keys.ts'
import { listAccounts } from './list-accounts.ts'
import { listAliasKeys } from './list-alias-keys.ts'
import { listIdentities } from './list-identities.ts'
import { listKeyUsage } from './list-key-usage.ts'
import { listServices } from './list-services.ts'
import { putService } from './put-service.ts'
import { revokeSessions } from './revoke-sessions.ts'
import { rotateAlias } from './rotate-alias.ts'
import { rotateAuditKey } from './rotate-audit-key.ts'
import { updateAccessKey } from './update-access-key.ts'
import { updateIdentity } from './update-identity.ts'

export const operations = [
  applyIdentities,
  createAccessKey,
  createAccount,
  createIdentity,
  deleteAccessKey,
  deleteAccount,
  deleteIdentity,
  deleteService,
  exportIdentities,
  getUsage,
  listAccessKeys,
  listAccounts,
  listAliasKeys,
  listIdentities,
  listKeyUsage,
  listServices,
  putService,
  revokeSessions,
  rotateAlias,
  rotateAuditKey,
  updateAccessKey,
  updateIdentity,
] as const
