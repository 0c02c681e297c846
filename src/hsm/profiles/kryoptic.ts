import { profile } from './profile.ts'

/** Kryoptic 1.5: a software token with PKCS#11 v3.2, for ML-DSA. */
export const kryoptic = profile({
  name: 'kryoptic',
  title: 'Kryoptic',
  mode: 'synchronous',
  /** An invalid RSAES-OAEP block. */
  invalidCiphertextCodes: ['CKR_DEVICE_ERROR'],
  oaepUnwraps: ['secret', 'EC'],
  canInitializeToken: true,
  /** A stale handle is answered with CKR_GENERAL_ERROR. */
  singleProcess: true,
  lacks: { ECC_SECG_P256K1: 'no secp256k1' },
})
