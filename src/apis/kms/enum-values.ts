/**
 * The order in which AWS lists the values of an enumeration when it refuses an invalid one. It is neither alphabetic nor the order of the
 * public model, and it changes with AWS's releases, so it is frozen here.
 *
 * Recorded on AWS in 2026: EncryptionAlgorithmSpec, SigningAlgorithmSpec, MacAlgorithmSpec, MessageType. Recorded with fewer values, those
 * added since follow in the order of the model: KeySpec and DataKeySpec (2026, before ML-KEM), KeyUsageType, OriginType and AlgorithmSpec
 * (before 2024). CustomerMasterKeySpec was recorded in the order of KeySpec, of which it is a part. An enumeration that is missing here was
 * never recorded and is listed in the order of the model.
 */
const keySpecs = [
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_SECG_P256K1',
  'ECC_NIST_EDWARDS25519',
  'SYMMETRIC_DEFAULT',
  'HMAC_224',
  'HMAC_256',
  'HMAC_384',
  'HMAC_512',
  'SM2',
  'ML_DSA_44',
  'ML_DSA_65',
  'ML_DSA_87',
  'ML_KEM_512',
  'ML_KEM_768',
  'ML_KEM_1024',
]

/** Values as listed in messages, by the name of the shape. */
export const enumValues: Readonly<Record<string, readonly string[]>> = {
  KeySpec: keySpecs,
  CustomerMasterKeySpec: keySpecs.filter(spec => !spec.startsWith('ML_') && spec !== 'ECC_NIST_EDWARDS25519'),
  // AWS accepts AES_256 and AES_128 only, and yet lists the specs of KMS keys.
  DataKeySpec: keySpecs,
  KeyUsageType: ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT', 'ENCAPSULATE_DECAPSULATE'],
  OriginType: ['EXTERNAL', 'AWS_CLOUDHSM', 'AWS_KMS', 'EXTERNAL_KEY_STORE'],
  EncryptionAlgorithmSpec: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE', 'SYMMETRIC_DEFAULT'],
  SigningAlgorithmSpec: [
    'RSASSA_PSS_SHA_256',
    'RSASSA_PSS_SHA_384',
    'RSASSA_PSS_SHA_512',
    'RSASSA_PKCS1_V1_5_SHA_256',
    'RSASSA_PKCS1_V1_5_SHA_384',
    'RSASSA_PKCS1_V1_5_SHA_512',
    'ECDSA_SHA_256',
    'ECDSA_SHA_384',
    'ECDSA_SHA_512',
    'ED25519_SHA_512',
    'ED25519_PH_SHA_512',
    'SM2DSA',
    'ML_DSA_SHAKE_256',
  ],
  MacAlgorithmSpec: ['HMAC_SHA_384', 'HMAC_SHA_256', 'HMAC_SHA_224', 'HMAC_SHA_512'],
  MessageType: ['RAW', 'DIGEST', 'EXTERNAL_MU'],
  AlgorithmSpec: [
    'RSAES_OAEP_SHA_1',
    'RSAES_OAEP_SHA_256',
    'RSAES_PKCS1_V1_5',
    'RSA_AES_KEY_WRAP_SHA_1',
    'RSA_AES_KEY_WRAP_SHA_256',
    'SM2PKE',
  ],
}

/**
 * Values that AWS accepts but does not list; no key supports them. Measured in 2026: Sign and Verify with SYMMETRIC_DEFAULT are refused
 * because of the key spec.
 */
export const unlistedValues: Readonly<Record<string, readonly string[]>> = {
  SigningAlgorithmSpec: ['SYMMETRIC_DEFAULT'],
}
