import { because, mlDsa, profile } from './profile.ts'

/** Thales Luna 7, Network and PCIe, as its documentation describes it. */
export const luna7 = profile({
  name: 'luna7',
  title: 'Thales Luna 7',
  mode: 'asynchronous',
  /** Outside FIPS mode. In FIPS mode the HSM generates the IV, `append16`, which the probe detects. */
  gcmIv: 'caller',
  /** CKM_AES_KWP of the vendor's header, RFC 5649; newer clients have CKM_AES_KEY_WRAP_KWP, too. */
  keyWrapMechanisms: [0x8000_0171, 0x210b],
  mayLack: {
    ...because('depends on the firmware', [...mlDsa, 'ECC_NIST_EDWARDS25519', 'ECC_SECG_P256K1']),
    GenerateDataKeyPair: 'not in FIPS mode, where private keys are not readable in plaintext',
    ECDH: 'not in FIPS mode, where secrets are not readable in plaintext',
  },
})
