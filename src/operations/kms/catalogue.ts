// Written by scripts/catalogue.ts.
import { createAlias } from './aliases/create-alias.ts'
import { deleteAlias } from './aliases/delete-alias.ts'
import { listAliases } from './aliases/list-aliases.ts'
import { updateAlias } from './aliases/update-alias.ts'
import { decrypt } from './cryptography/decrypt.ts'
import { deriveSharedSecret } from './cryptography/derive-shared-secret.ts'
import { encrypt } from './cryptography/encrypt.ts'
import { generateDataKeyPairWithoutPlaintext } from './cryptography/generate-data-key-pair-without-plaintext.ts'
import { generateDataKeyPair } from './cryptography/generate-data-key-pair.ts'
import { generateDataKeyWithoutPlaintext } from './cryptography/generate-data-key-without-plaintext.ts'
import { generateDataKey } from './cryptography/generate-data-key.ts'
import { generateMac } from './cryptography/generate-mac.ts'
import { generateRandom } from './cryptography/generate-random.ts'
import { getPublicKey } from './cryptography/get-public-key.ts'
import { reEncrypt } from './cryptography/re-encrypt.ts'
import { sign } from './cryptography/sign.ts'
import { verifyMac } from './cryptography/verify-mac.ts'
import { verify } from './cryptography/verify.ts'
import { connectCustomKeyStore } from './custom-key-stores/connect-custom-key-store.ts'
import { createCustomKeyStore } from './custom-key-stores/create-custom-key-store.ts'
import { deleteCustomKeyStore } from './custom-key-stores/delete-custom-key-store.ts'
import { describeCustomKeyStores } from './custom-key-stores/describe-custom-key-stores.ts'
import { disconnectCustomKeyStore } from './custom-key-stores/disconnect-custom-key-store.ts'
import { updateCustomKeyStore } from './custom-key-stores/update-custom-key-store.ts'
import { createGrant } from './grants/create-grant.ts'
import { listGrants } from './grants/list-grants.ts'
import { listRetirableGrants } from './grants/list-retirable-grants.ts'
import { retireGrant } from './grants/retire-grant.ts'
import { revokeGrant } from './grants/revoke-grant.ts'
import { deleteImportedKeyMaterial } from './import/delete-imported-key-material.ts'
import { getParametersForImport } from './import/get-parameters-for-import.ts'
import { importKeyMaterial } from './import/import-key-material.ts'
import { cancelKeyDeletion } from './keys/cancel-key-deletion.ts'
import { createKey } from './keys/create-key.ts'
import { describeKey } from './keys/describe-key.ts'
import { disableKey } from './keys/disable-key.ts'
import { enableKey } from './keys/enable-key.ts'
import { getKeyLastUsage } from './keys/get-key-last-usage.ts'
import { listKeys } from './keys/list-keys.ts'
import { scheduleKeyDeletion } from './keys/schedule-key-deletion.ts'
import { updateKeyDescription } from './keys/update-key-description.ts'
import { getKeyPolicy } from './policies/get-key-policy.ts'
import { listKeyPolicies } from './policies/list-key-policies.ts'
import { putKeyPolicy } from './policies/put-key-policy.ts'
import { replicateKey } from './replicas/replicate-key.ts'
import { updatePrimaryRegion } from './replicas/update-primary-region.ts'
import { disableKeyRotation } from './rotation/disable-key-rotation.ts'
import { enableKeyRotation } from './rotation/enable-key-rotation.ts'
import { getKeyRotationStatus } from './rotation/get-key-rotation-status.ts'
import { listKeyRotations } from './rotation/list-key-rotations.ts'
import { rotateKeyOnDemand } from './rotation/rotate-key-on-demand.ts'
import { listResourceTags } from './tags/list-resource-tags.ts'
import { tagResource } from './tags/tag-resource.ts'
import { untagResource } from './tags/untag-resource.ts'

export const operations = [
  createAlias,
  deleteAlias,
  listAliases,
  updateAlias,
  decrypt,
  deriveSharedSecret,
  encrypt,
  generateDataKeyPairWithoutPlaintext,
  generateDataKeyPair,
  generateDataKeyWithoutPlaintext,
  generateDataKey,
  generateMac,
  generateRandom,
  getPublicKey,
  reEncrypt,
  sign,
  verifyMac,
  verify,
  connectCustomKeyStore,
  createCustomKeyStore,
  deleteCustomKeyStore,
  describeCustomKeyStores,
  disconnectCustomKeyStore,
  updateCustomKeyStore,
  createGrant,
  listGrants,
  listRetirableGrants,
  retireGrant,
  revokeGrant,
  deleteImportedKeyMaterial,
  getParametersForImport,
  importKeyMaterial,
  cancelKeyDeletion,
  createKey,
  describeKey,
  disableKey,
  enableKey,
  getKeyLastUsage,
  listKeys,
  scheduleKeyDeletion,
  updateKeyDescription,
  getKeyPolicy,
  listKeyPolicies,
  putKeyPolicy,
  replicateKey,
  updatePrimaryRegion,
  disableKeyRotation,
  enableKeyRotation,
  getKeyRotationStatus,
  listKeyRotations,
  rotateKeyOnDemand,
  listResourceTags,
  tagResource,
  untagResource,
] as const
