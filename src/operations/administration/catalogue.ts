// Written by scripts/catalogue.ts.
import { applyIdentities } from './apply-identities.ts'
import { createAccessKey } from './create-access-key.ts'
import { createAccount } from './create-account.ts'
import { createBackupKey } from './create-backup-key.ts'
import { createIdentity } from './create-identity.ts'
import { createXksCredential } from './create-xks-credential.ts'
import { createXksKey } from './create-xks-key.ts'
import { createXksPrefix } from './create-xks-prefix.ts'
import { deleteAccessKey } from './delete-access-key.ts'
import { deleteAccount } from './delete-account.ts'
import { deleteIdentity } from './delete-identity.ts'
import { deleteService } from './delete-service.ts'
import { deleteXksCredential } from './delete-xks-credential.ts'
import { deleteXksKey } from './delete-xks-key.ts'
import { deleteXksPrefix } from './delete-xks-prefix.ts'
import { exportIdentities } from './export-identities.ts'
import { getUsage } from './get-usage.ts'
import { listAccessKeys } from './list-access-keys.ts'
import { listAccounts } from './list-accounts.ts'
import { listAliasKeys } from './list-alias-keys.ts'
import { listGateways } from './list-gateways.ts'
import { listIdentities } from './list-identities.ts'
import { listKeyUsage } from './list-key-usage.ts'
import { listServices } from './list-services.ts'
import { listXksKeys } from './list-xks-keys.ts'
import { listXksPrefixes } from './list-xks-prefixes.ts'
import { putService } from './put-service.ts'
import { removeGateway } from './remove-gateway.ts'
import { revokeSessions } from './revoke-sessions.ts'
import { rotateAlias } from './rotate-alias.ts'
import { rotateAuditKey } from './rotate-audit-key.ts'
import { updateAccessKey } from './update-access-key.ts'
import { updateIdentity } from './update-identity.ts'
import { updateXksCredential } from './update-xks-credential.ts'
import { updateXksKey } from './update-xks-key.ts'
import { updateXksPrefix } from './update-xks-prefix.ts'

export const operations = [
  applyIdentities,
  createAccessKey,
  createAccount,
  createBackupKey,
  createIdentity,
  createXksCredential,
  createXksKey,
  createXksPrefix,
  deleteAccessKey,
  deleteAccount,
  deleteIdentity,
  deleteService,
  deleteXksCredential,
  deleteXksKey,
  deleteXksPrefix,
  exportIdentities,
  getUsage,
  listAccessKeys,
  listAccounts,
  listAliasKeys,
  listGateways,
  listIdentities,
  listKeyUsage,
  listServices,
  listXksKeys,
  listXksPrefixes,
  putService,
  removeGateway,
  revokeSessions,
  rotateAlias,
  rotateAuditKey,
  updateAccessKey,
  updateIdentity,
  updateXksCredential,
  updateXksKey,
  updateXksPrefix,
] as const
