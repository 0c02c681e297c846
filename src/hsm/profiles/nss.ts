import { because, mlDsa, profile } from './profile.ts'

/** NSS softokn 3: the second software token of the tests. It needs `libraryParameters`. */
export const nss = profile({
  name: 'nss',
  title: 'NSS softokn',
  mode: 'synchronous',
  /** An RSA block not less than the modulus. */
  invalidCiphertextCodes: ['CKR_ARGUMENTS_BAD'],
  /** An RSASSA-PKCS1-v1_5 signature of another message: the code of an earlier error, or the last one. */
  invalidSignatureCodes: ['CKR_ARGUMENTS_BAD', 'CKR_DATA_LEN_RANGE', 'CKR_KEY_SIZE_RANGE', 'CKR_DEVICE_ERROR'],
  /** Refused by the database with CKR_GENERAL_ERROR. */
  supportsCkaCopyable: false,
  /** False for every generated key, and writable. */
  reportsCkaLocal: false,
  importMethods: ['ECDH', 'plaintext'],
  /** It unwraps no keys of elliptic curves. */
  keyWrapUnwraps: ['secret', 'RSA'],
  lacks: {
    ...because('no ML-DSA', mlDsa),
    WrapWithTrusted: 'any key may wrap any other',
    ECC_SECG_P256K1: 'no secp256k1',
    ECC_NIST_EDWARDS25519: 'no Ed25519',
  },
})
