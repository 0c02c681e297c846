import { because, mlDsa, profile } from './profile.ts'

/** Entrust nShield, as its documentation describes it. */
export const nshield = profile({
  name: 'nshield',
  title: 'Entrust nShield',
  badCiphertext: ['CKR_FUNCTION_FAILED'],
  lacks: {
    GenerateDataKeyPair: 'the library refuses keys that are not sensitive',
    ECDH: 'the library refuses secrets that are not sensitive',
  },
  unsure: because('depends on the firmware', [...mlDsa, 'ECC_NIST_EDWARDS25519', 'ECC_SECG_P256K1']),
})
