import { grantOperations } from '../../model/keys/grant.ts'
import { keySpecs } from '../../model/keys/key-spec.ts'
import { signingAlgorithms } from '../../model/keys/signing-algorithm.ts'

const specs = Object.keys(keySpecs)
const usages = ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT', 'ENCAPSULATE_DECAPSULATE']
const rsaSpecs = ['RSA_2048', 'RSA_3072', 'RSA_4096']
const signatureSpecs = ['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1', 'ECC_NIST_EDWARDS25519']
const oaep = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256']

/** Condition keys whose values are those of an enumeration of the service model. A test compares both. */
export const conditionKeyValues: Readonly<Record<string, readonly string[]>> = {
  'kms:CustomerMasterKeySpec': specs,
  'kms:CustomerMasterKeyUsage': usages,
  'kms:DataKeyPairSpec': [...rsaSpecs, ...signatureSpecs, 'SM2', 'ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024'],
  'kms:EncryptionAlgorithm': ['SYMMETRIC_DEFAULT', ...oaep, 'SM2PKE'],
  'kms:ExpirationModel': ['KEY_MATERIAL_EXPIRES', 'KEY_MATERIAL_DOES_NOT_EXPIRE'],
  'kms:GrantConstraintType': ['EncryptionContextEquals', 'EncryptionContextSubset', 'SourceArn'],
  'kms:GrantOperations': Object.keys(grantOperations),
  'kms:KeyAgreementAlgorithm': ['ECDH'],
  'kms:KeyOrigin': ['AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE'],
  'kms:KeySpec': specs,
  'kms:KeyUsage': usages,
  'kms:MacAlgorithm': ['HMAC_SHA_224', 'HMAC_SHA_256', 'HMAC_SHA_384', 'HMAC_SHA_512'],
  'kms:MessageType': ['RAW', 'DIGEST', 'EXTERNAL_MU'],
  'kms:MultiRegionKeyType': ['PRIMARY', 'REPLICA'],
  'kms:SigningAlgorithm': Object.keys(signingAlgorithms),
  'kms:WrappingAlgorithm': [
    'RSAES_PKCS1_V1_5',
    ...oaep,
    'RSA_AES_KEY_WRAP_SHA_1',
    'RSA_AES_KEY_WRAP_SHA_256',
    'SM2PKE',
  ],
  'kms:WrappingKeySpec': [...rsaSpecs, 'SM2'],
}
