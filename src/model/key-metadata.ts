import type { CustomerMasterKeySpec, KeyMetadata } from '@aws-sdk/client-kms'
import { currentMaterial, type Key } from './key.ts'
import { keySpecs } from './key-spec.ts'

/** A key as CreateKey and DescribeKey show it: KMS API Reference, "KeyMetadata". */
export function keyMetadata(key: Key): KeyMetadata {
  return {
    AWSAccountId: key.account,
    Arn: key.arn,
    CreationDate: new Date(key.creationDate),
    CurrentKeyMaterialId: currentMaterial(key).id,
    CustomerMasterKeySpec: key.spec as CustomerMasterKeySpec,
    DeletionDate: key.deletionDate === undefined ? undefined : new Date(key.deletionDate),
    Description: key.description,
    Enabled: key.state === 'Enabled',
    EncryptionAlgorithms: [...keySpecs[key.spec].encryptionAlgorithms],
    KeyId: key.id,
    KeyManager: 'CUSTOMER',
    KeySpec: key.spec,
    KeyState: key.state,
    KeyUsage: key.usage,
    MultiRegion: false,
    Origin: key.origin,
  }
}
