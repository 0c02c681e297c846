/** What may be asked of a key. */
import { expect } from 'vitest'
import { model, shapeNamed } from '../../src/apis/kms/model.ts'
import { operations } from '../../src/operations/kms/catalogue.ts'
import type { OperationName } from '../../src/operations/kms/operation.ts'

const Plaintext = Buffer.from('text')

/** The operations of this gateway that ask for permission on a key: ListAliases has one in its input, and asks for none on it. */
const onKeys = operations
  .map(({ name }) => name)
  .filter(name => name !== 'ListAliases')
  .filter(name => /"(Target|Destination)?KeyId"/.test(JSON.stringify(shapeNamed(model.operations[name].input!))))

/** A valid input of each of these operations. @param AliasName of another key */
export function keyOperations(
  KeyId: string,
  { GrantId, AliasName }: { GrantId: string; AliasName: string },
): Readonly<Partial<Record<OperationName, object>>> {
  const [signing, mac] = [{ SigningAlgorithm: 'ECDSA_SHA_256' }, { MacAlgorithm: 'HMAC_SHA_256' }]
  const pair = { KeyId, KeyPairSpec: 'ECC_NIST_P256' }
  const inputs: Partial<Record<OperationName, object>> = {
    CancelKeyDeletion: { KeyId },
    CreateAlias: { AliasName: `${AliasName}-new`, TargetKeyId: KeyId },
    CreateGrant: { KeyId, GranteePrincipal: 'arn:aws:iam::111122223333:root', Operations: ['Encrypt'] },
    Decrypt: { KeyId, CiphertextBlob: Plaintext },
    DeleteImportedKeyMaterial: { KeyId },
    DeriveSharedSecret: { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: Plaintext },
    DescribeKey: { KeyId },
    DisableKey: { KeyId },
    DisableKeyRotation: { KeyId },
    EnableKey: { KeyId },
    EnableKeyRotation: { KeyId },
    Encrypt: { KeyId, Plaintext },
    GenerateDataKey: { KeyId, KeySpec: 'AES_256' },
    GenerateDataKeyPair: pair,
    GenerateDataKeyPairWithoutPlaintext: pair,
    GenerateDataKeyWithoutPlaintext: { KeyId, KeySpec: 'AES_256' },
    GenerateMac: { KeyId, Message: Plaintext, ...mac },
    GetKeyLastUsage: { KeyId },
    GetKeyPolicy: { KeyId },
    GetKeyRotationStatus: { KeyId },
    GetParametersForImport: { KeyId, WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_4096' },
    GetPublicKey: { KeyId },
    ImportKeyMaterial: { KeyId, ImportToken: Plaintext, EncryptedKeyMaterial: Plaintext },
    ListGrants: { KeyId },
    ListKeyPolicies: { KeyId },
    ListKeyRotations: { KeyId },
    ListResourceTags: { KeyId },
    PutKeyPolicy: { KeyId, Policy: '{}' },
    ReEncrypt: { CiphertextBlob: Plaintext, SourceKeyId: KeyId, DestinationKeyId: KeyId },
    ReplicateKey: { KeyId, ReplicaRegion: 'eu-west-1' },
    RetireGrant: { KeyId, GrantId },
    RevokeGrant: { KeyId, GrantId },
    RotateKeyOnDemand: { KeyId },
    ScheduleKeyDeletion: { KeyId },
    Sign: { KeyId, Message: Plaintext, ...signing },
    TagResource: { KeyId, Tags: [{ TagKey: 'a', TagValue: 'b' }] },
    UntagResource: { KeyId, TagKeys: ['a'] },
    UpdateAlias: { AliasName, TargetKeyId: KeyId },
    UpdateKeyDescription: { KeyId, Description: '' },
    UpdatePrimaryRegion: { KeyId, PrimaryRegion: 'eu-west-1' },
    Verify: { KeyId, Message: Plaintext, Signature: Plaintext, ...signing },
    VerifyMac: { KeyId, Message: Plaintext, Mac: Plaintext, ...mac },
  }
  expect(Object.keys(inputs).sort()).toEqual([...onKeys].sort())
  return inputs
}
