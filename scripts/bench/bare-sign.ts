/**
 * What one process gets from the token by pkcs11js alone: signatures a second, one call at a time, with a new key that is kept on the
 * token, as those of the gateway are, or with one of the session. SoftHSM reads two files whenever a key of the token is used.
 * Arguments: library, PIN file, RSA_2048 or ECC_NIST_P256, seconds, `token` or `session`.
 */
import { performance } from 'node:perf_hooks'
import pkcs11js from 'pkcs11js'
import { openToken } from './bare.ts'

const [library, pinFile, spec, seconds, place] = process.argv.slice(2) as [string, string, string, string, string]

const sha256DigestInfo = Buffer.from('3031300d060960864801650304020105000420', 'hex')
const digest = Buffer.alloc(32, 7)
const p256 = Buffer.from('06082a8648ce3d030107', 'hex')
const exponent = Buffer.from([1, 0, 1])
const kinds = {
  RSA_2048: {
    generation: pkcs11js.CKM_RSA_PKCS_KEY_PAIR_GEN,
    parameters: [
      { type: pkcs11js.CKA_MODULUS_BITS, value: 2048 },
      { type: pkcs11js.CKA_PUBLIC_EXPONENT, value: exponent },
    ],
    signing: pkcs11js.CKM_RSA_PKCS,
    message: Buffer.concat([sha256DigestInfo, digest]),
  },
  ECC_NIST_P256: {
    generation: pkcs11js.CKM_EC_KEY_PAIR_GEN,
    parameters: [{ type: pkcs11js.CKA_EC_PARAMS, value: p256 }],
    signing: pkcs11js.CKM_ECDSA,
    message: digest,
  },
}
const kind = kinds[spec as keyof typeof kinds]

const { pkcs11, session } = openToken(library, pinFile)
const ofToken = { type: pkcs11js.CKA_TOKEN, value: place === 'token' }
const { publicKey, privateKey } = pkcs11.C_GenerateKeyPair(
  session,
  { mechanism: kind.generation },
  [ofToken, ...kind.parameters],
  [ofToken, { type: pkcs11js.CKA_SIGN, value: true }],
)
const start = performance.now()
const end = start + Number(seconds) * 1000
let signatures = 0
for (; performance.now() < end; signatures++) {
  pkcs11.C_SignInit(session, { mechanism: kind.signing }, privateKey)
  pkcs11.C_Sign(session, kind.message, Buffer.alloc(256))
}
const elapsed = performance.now() - start
for (const key of [publicKey, privateKey]) pkcs11.C_DestroyObject(session, key)
console.log((signatures * 1000) / elapsed)
