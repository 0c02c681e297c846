import { because, mlDsa, profile } from './profile.ts'

/** Yubico YubiHSM 2, as its User Guide describes it. */
export const yubihsm2 = profile({
  name: 'yubihsm2',
  title: 'YubiHSM 2',
  mode: 'asynchronous',
  /** It has 16 in total; two workers share them. */
  sessionsPerWorker: 7,
  /** Not mentioned in the User Guide; not supported by the device. */
  supportsCkaSignRecover: false,
  /** It unwraps nothing but its own format. */
  importMethods: ['plaintext'],
  oaepUnwraps: [],
  keyWrapUnwraps: [],
  lacks: {
    ...because('no ML-DSA', mlDsa),
    SYMMETRIC_DEFAULT: "no AES-GCM: it cannot hold the gateway's own keys",
    HMAC_224: 'no SHA-224',
    WrapWithTrusted: 'it wraps keys in its own format only',
    GenerateDataKeyPair: 'private keys are never readable in plaintext',
  },
  mayLack: {
    ECC_NIST_EDWARDS25519: 'supported by the device; by its PKCS#11 library depending on the version',
    ECDH: 'supported by the device; whether the raw secret is readable is unknown',
  },
})
