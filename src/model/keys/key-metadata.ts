import type { CustomerMasterKeySpec, KeyMetadata, KeyUsageType } from '@aws-sdk/client-kms'
import type { WhyUnsupported } from './ability.ts'
import type { CustomKeyStore } from './custom-key-store.ts'
import { expirationOf } from './imported-material.ts'
import { isMultiRegion, type Key } from './key.ts'
import { algorithmsOf, keySpecs } from './key-spec.ts'
import { keyState } from './key-state.ts'
import { multiRegionConfiguration } from './multi-region.ts'

type AlgorithmLists = Pick<
  KeyMetadata,
  'EncryptionAlgorithms' | 'SigningAlgorithms' | 'MacAlgorithms' | 'KeyAgreementAlgorithms' | 'EncapsulationAlgorithms'
>

/**
 * A key as in the output of CreateKey and DescribeKey: KMS API Reference, "KeyMetadata".
 *
 * @param whyUnsupported of the HSM that holds it
 * @param related its related multi-Region keys in other regions
 * @param store in which it is, if it is in one
 */
export function keyMetadata(
  key: Key,
  whyUnsupported: WhyUnsupported,
  { related = [], store }: { readonly related?: readonly Key[]; readonly store?: CustomKeyStore | undefined } = {},
): KeyMetadata {
  const state = keyState(key, store)
  return {
    AWSAccountId: key.account,
    Arn: key.arn,
    CreationDate: new Date(key.creationDate),
    CloudHsmClusterId: store?.cloudHsm?.clusterId,
    // Recorded on AWS: only keys that can be rotated have it.
    CurrentKeyMaterialId: canRotate(key) ? key.materials.at(-1)?.id : undefined,
    CustomKeyStoreId: key.customKeyStoreId,
    CustomerMasterKeySpec: key.spec as CustomerMasterKeySpec,
    DeletionDate: key.deletionDate === undefined ? undefined : new Date(key.deletionDate),
    Description: key.description,
    Enabled: state === 'Enabled',
    ...expirationOf(key),
    KeyId: key.id,
    KeyManager: key.manager ? 'AWS' : 'CUSTOMER',
    KeySpec: key.spec,
    KeyState: state,
    KeyUsage: key.usage,
    MultiRegion: isMultiRegion(key),
    MultiRegionConfiguration: multiRegionConfiguration(key, related),
    Origin: key.origin,
    PendingDeletionWindowInDays: key.pendingWindowInDays,
    XksKeyConfiguration: key.xksKeyId === undefined ? undefined : { Id: key.xksKeyId },
    ...algorithmList(key, whyUnsupported),
  }
}

function canRotate({ spec, origin }: Key): boolean {
  return keySpecs[spec].type === 'symmetric' && (origin === 'AWS_KMS' || origin === 'EXTERNAL')
}

const listNames: Readonly<Record<KeyUsageType, string>> = {
  ENCRYPT_DECRYPT: 'EncryptionAlgorithms',
  SIGN_VERIFY: 'SigningAlgorithms',
  GENERATE_VERIFY_MAC: 'MacAlgorithms',
  KEY_AGREEMENT: 'KeyAgreementAlgorithms',
  ENCAPSULATE_DECAPSULATE: 'EncapsulationAlgorithms',
}

/** The algorithms of a key: those of its usage that its HSM supports. */
export function algorithmList(
  { spec, usage }: Pick<Key, 'spec' | 'usage'>,
  whyUnsupported: WhyUnsupported,
): Partial<AlgorithmLists> {
  return { [listNames[usage]]: algorithmsOf(spec, usage).filter(algorithm => whyUnsupported(algorithm) === undefined) }
}
