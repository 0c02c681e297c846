import { because, mlDsa, profile } from './profile.ts'

/** Utimaco CryptoServer and u.trust Anchor. */
export const utimaco = profile({
  name: 'utimaco',
  title: 'Utimaco',
  mode: 'asynchronous',
  mayLack: {
    ...because('depends on the firmware', [...mlDsa, 'ECC_NIST_EDWARDS25519', 'ECC_SECG_P256K1']),
    ...because('whether keys are readable in plaintext depends on settings', ['GenerateDataKeyPair', 'ECDH']),
  },
})
