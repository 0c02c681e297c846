import { profile } from './profile.ts'

/** Kryoptic 1.5: software of PKCS#11 v3.2, to try ML-DSA. */
export const kryoptic = profile({
  name: 'kryoptic',
  title: 'Kryoptic',
  mode: 'synchronous',
  /** A wrong block of RSAES-OAEP. */
  invalidCiphertextCodes: ['CKR_DEVICE_ERROR'],
  canInitializeToken: true,
  /** A handle that another process made stale answers CKR_GENERAL_ERROR. */
  singleProcess: true,
  lacks: { ECC_SECG_P256K1: 'no secp256k1' },
})
