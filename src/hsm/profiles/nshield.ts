import { because, mlDsa, profile } from './profile.ts'

/** Entrust nShield, as its documentation describes it. */
export const nshield = profile({
  name: 'nshield',
  title: 'Entrust nShield',
  mode: 'asynchronous',
  invalidCiphertextCodes: ['CKR_FUNCTION_FAILED'],
  /** Unless CKNFAST_ASSUME_SINGLE_PROCESS is 0, a process does not see objects created by others. */
  singleProcess: true,
  mayLack: {
    ...because('depends on the firmware', [...mlDsa, 'ECC_NIST_EDWARDS25519', 'ECC_SECG_P256K1']),
    ...because('the library refuses keys that are not sensitive, unless its security assurances are overridden', [
      'GenerateDataKeyPair',
      'ECDH',
    ]),
  },
})
