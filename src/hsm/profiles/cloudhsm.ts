import { because, mlDsa, profile } from './profile.ts'

/** AWS CloudHSM, Client SDK 5, as its User Guide describes it. */
export const cloudhsm = profile({
  name: 'cloudhsm',
  title: 'AWS CloudHSM',
  mode: 'asynchronous',
  /** User Guide, "PKCS #11 library": the PIN is user:password. KMS Developer Guide: the CU of a custom key store is kmsuser. */
  keyStoreUser: 'kmsuser',
  /** CKM_CLOUDHSM_AES_GCM: CKM_AES_GCM requires parameters that remain valid until C_Encrypt, which pkcs11js does not guarantee. */
  gcmMechanism: 0x8000_1087,
  gcmIv: 'prepend12',
  /** User Guide, "HSM throttling". */
  throttlingCodes: ['CKR_FUNCTION_FAILED'],
  /** Not among the attributes that the User Guide lists. */
  supportsCkaCopyable: false,
  /** User Guide, "PKCS #11 library attributes": for RSA keys only, and an alias of CKA_SIGN. */
  supportsCkaSignRecover: false,
  /** ECDH derives no raw secret. CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD: the standard mechanisms had another meaning in Client SDK 3. */
  importMethods: ['RSA-OAEP'],
  keyWrapMechanisms: [0x8000_216f],
  lacks: {
    ...because('no ML-DSA in the User Guide', mlDsa),
    ECC_NIST_EDWARDS25519: 'no EdDSA in the User Guide',
    ECDH: 'only with X9.63 key derivation, not the raw secret',
  },
  mayLack: { GenerateDataKeyPair: 'private keys may not be readable in plaintext' },
})
