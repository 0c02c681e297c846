import type { CustomerMasterKeySpec, KeyMetadata } from '@aws-sdk/client-kms'
import { currentMaterial, type Key } from './key.ts'
import { keySpecs } from './key-spec.ts'
import { keyState } from './key-state.ts'

/** A key as CreateKey and DescribeKey show it: KMS API Reference, "KeyMetadata". */
export function keyMetadata(key: Key): KeyMetadata {
  const state = keyState(key)
  return {
    AWSAccountId: key.account,
    Arn: key.arn,
    CreationDate: new Date(key.creationDate),
    // Recorded on AWS: only keys that can be rotated tell which material is theirs.
    CurrentKeyMaterialId: keySpecs[key.spec].type === 'symmetric' ? currentMaterial(key).id : undefined,
    CustomerMasterKeySpec: key.spec as CustomerMasterKeySpec,
    DeletionDate: key.deletionDate === undefined ? undefined : new Date(key.deletionDate),
    Description: key.description,
    Enabled: state === 'Enabled',
    KeyId: key.id,
    KeyManager: 'CUSTOMER',
    KeySpec: key.spec,
    KeyState: state,
    KeyUsage: key.usage,
    MultiRegion: false,
    Origin: key.origin,
    ...algorithmsOf(key),
  }
}

/** The one list of algorithms that a key shows: that of its usage. */
export function algorithmsOf({ spec, usage }: Pick<Key, 'spec' | 'usage'>) {
  const row = keySpecs[spec]
  return {
    ...(usage === 'ENCRYPT_DECRYPT' && { EncryptionAlgorithms: [...row.encryptionAlgorithms] }),
    ...(usage === 'SIGN_VERIFY' && { SigningAlgorithms: [...row.signingAlgorithms] }),
    ...(usage === 'GENERATE_VERIFY_MAC' && { MacAlgorithms: [...row.macAlgorithms] }),
    ...(usage === 'KEY_AGREEMENT' && { KeyAgreementAlgorithms: [...row.keyAgreementAlgorithms] }),
  }
}
