import { because, mlDsa, profile } from './profile.ts'

/**
 * NSS softokn 3: the second software token, to try what a token does. It needs `libraryParameters`.
 */
export const nss = profile({
  name: 'nss',
  title: 'NSS softokn',
  mode: 'synchronous',
  /** A block of RSA that is no less than the modulus. */
  invalidCiphertextCodes: ['CKR_ARGUMENTS_BAD'],
  /** A signature of RSASSA-PKCS1-v1_5 over another message: the answer is that of whatever went wrong before, or the latter. */
  invalidSignatureCodes: ['CKR_ARGUMENTS_BAD', 'CKR_DATA_LEN_RANGE', 'CKR_KEY_SIZE_RANGE', 'CKR_DEVICE_ERROR'],
  /** The database refuses it with CKR_GENERAL_ERROR. */
  supportsCkaCopyable: false,
  /** It is false of every key that is made, and anybody may write it. */
  reportsCkaLocal: false,
  lacks: {
    ...because('no ML-DSA', mlDsa),
    ECC_SECG_P256K1: 'no secp256k1',
    ECC_NIST_EDWARDS25519: 'no Ed25519',
  },
})
