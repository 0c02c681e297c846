import type {
  EncapsulationAlgorithmSpec,
  EncryptionAlgorithmSpec,
  KeyAgreementAlgorithmSpec,
  KeySpec,
  KeyUsageType,
  MacAlgorithmSpec,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'

export type Algorithm =
  | EncryptionAlgorithmSpec
  | SigningAlgorithmSpec
  | MacAlgorithmSpec
  | KeyAgreementAlgorithmSpec
  | EncapsulationAlgorithmSpec

/** A key spec: KMS Developer Guide, "Key spec reference". Lists are in the order of KMS. */
export interface KeySpecRow {
  /** KMS's type of key. An alias cannot be moved between types. */
  readonly type: 'symmetric' | 'asymmetric' | 'HMAC'
  /** The search for two large primes takes about a second; the generation of other keys must not wait for it. */
  readonly isSlowToGenerate: boolean
  /** A key has one of them, which never changes. */
  readonly usages: readonly KeyUsageType[]
  /** By usage ENCRYPT_DECRYPT. */
  readonly encryptionAlgorithms: readonly EncryptionAlgorithmSpec[]
  /** By usage SIGN_VERIFY. */
  readonly signingAlgorithms: readonly SigningAlgorithmSpec[]
  /** By usage GENERATE_VERIFY_MAC. */
  readonly macAlgorithms: readonly MacAlgorithmSpec[]
  /** By usage KEY_AGREEMENT. */
  readonly keyAgreementAlgorithms: readonly KeyAgreementAlgorithmSpec[]
  /** By usage ENCAPSULATE_DECAPSULATE. */
  readonly encapsulationAlgorithms: readonly EncapsulationAlgorithmSpec[]
}

const none = {
  isSlowToGenerate: false,
  encryptionAlgorithms: [],
  signingAlgorithms: [],
  macAlgorithms: [],
  keyAgreementAlgorithms: [],
  encapsulationAlgorithms: [],
} as const satisfies Partial<KeySpecRow>

const asymmetric = { ...none, type: 'asymmetric' } as const satisfies Partial<KeySpecRow>

const rsa = {
  ...asymmetric,
  isSlowToGenerate: true,
  usages: ['ENCRYPT_DECRYPT', 'SIGN_VERIFY'],
  encryptionAlgorithms: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
  signingAlgorithms: [
    'RSASSA_PKCS1_V1_5_SHA_256',
    'RSASSA_PKCS1_V1_5_SHA_384',
    'RSASSA_PKCS1_V1_5_SHA_512',
    'RSASSA_PSS_SHA_256',
    'RSASSA_PSS_SHA_384',
    'RSASSA_PSS_SHA_512',
  ],
} as const satisfies KeySpecRow

const nistCurve = {
  ...asymmetric,
  usages: ['SIGN_VERIFY', 'KEY_AGREEMENT'],
  keyAgreementAlgorithms: ['ECDH'],
} as const satisfies KeySpecRow

const signing = { ...asymmetric, usages: ['SIGN_VERIFY'] } as const satisfies KeySpecRow

const mlDsa = { ...signing, signingAlgorithms: ['ML_DSA_SHAKE_256'] } as const satisfies KeySpecRow

const mlKem = {
  ...asymmetric,
  usages: ['ENCAPSULATE_DECAPSULATE'],
  encapsulationAlgorithms: ['ML_KEM'],
} as const satisfies KeySpecRow

const hmac = { ...none, type: 'HMAC', usages: ['GENERATE_VERIFY_MAC'] } as const satisfies KeySpecRow

const rows = {
  SYMMETRIC_DEFAULT: {
    ...none,
    type: 'symmetric',
    usages: ['ENCRYPT_DECRYPT'],
    encryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
  },
  RSA_2048: rsa,
  RSA_3072: rsa,
  RSA_4096: rsa,
  ECC_NIST_P256: { ...nistCurve, signingAlgorithms: ['ECDSA_SHA_256'] },
  ECC_NIST_P384: { ...nistCurve, signingAlgorithms: ['ECDSA_SHA_384'] },
  ECC_NIST_P521: { ...nistCurve, signingAlgorithms: ['ECDSA_SHA_512'] },
  ECC_SECG_P256K1: { ...signing, signingAlgorithms: ['ECDSA_SHA_256'] },
  ECC_NIST_EDWARDS25519: { ...signing, signingAlgorithms: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'] },
  ML_DSA_44: mlDsa,
  ML_DSA_65: mlDsa,
  ML_DSA_87: mlDsa,
  ML_KEM_512: mlKem,
  ML_KEM_768: mlKem,
  ML_KEM_1024: mlKem,
  HMAC_224: { ...hmac, macAlgorithms: ['HMAC_SHA_224'] },
  HMAC_256: { ...hmac, macAlgorithms: ['HMAC_SHA_256'] },
  HMAC_384: { ...hmac, macAlgorithms: ['HMAC_SHA_384'] },
  HMAC_512: { ...hmac, macAlgorithms: ['HMAC_SHA_512'] },
  SM2: {
    ...asymmetric,
    usages: ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'KEY_AGREEMENT'],
    encryptionAlgorithms: ['SM2PKE'],
    signingAlgorithms: ['SM2DSA'],
    keyAgreementAlgorithms: ['ECDH'],
  },
} as const satisfies Record<KeySpec, KeySpecRow>

/** The key specs that can be requested; the HSM determines which of them it supports. */
export type SupportedKeySpec = keyof typeof rows

/** One row per key spec. */
export const keySpecs: Readonly<Record<SupportedKeySpec, KeySpecRow>> = rows

/** The algorithms of a usage. */
export function algorithmsOf(spec: SupportedKeySpec, usage: KeyUsageType): readonly Algorithm[] {
  const row = keySpecs[spec]
  const lists: Readonly<Record<KeyUsageType, readonly Algorithm[]>> = {
    ENCRYPT_DECRYPT: row.encryptionAlgorithms,
    SIGN_VERIFY: row.signingAlgorithms,
    GENERATE_VERIFY_MAC: row.macAlgorithms,
    KEY_AGREEMENT: row.keyAgreementAlgorithms,
    ENCAPSULATE_DECAPSULATE: row.encapsulationAlgorithms,
  }
  return lists[usage]
}
