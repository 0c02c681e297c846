/** The public key of a private key that the token has unwrapped: nobody else has seen it, and not every token tells it. */
import pkcs11js from 'pkcs11js'
import { keySpecs, type SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { Handle } from './cryptoki.ts'
import { octetString } from './der.ts'
import { incorrect, notImported } from './key-material.ts'
import type { Curve, KeyMechanism } from './mechanisms.ts'
import { peerPoint, subjectPublicKeyInfo } from './public-keys.ts'
import { signing } from './signatures.ts'
import type { KeyInUse } from './steps.ts'

/** PKCS#11 v2.40, section 4.9: a DER SubjectPublicKeyInfo. */
const CKA_PUBLIC_KEY_INFO = 0x129

/**
 * DER SubjectPublicKeyInfo. That it belongs to the private key is still to be proved.
 *
 * @param signer makes a session object of the same private key that may sign
 */
export async function unwrappedPublicKey(
  { cryptoki, session, key }: KeyInUse,
  spec: SupportedKeySpec,
  mechanism: KeyMechanism,
  signer: () => Promise<Handle>,
): Promise<Buffer> {
  const { curve } = mechanism
  if (curve === undefined) return subjectPublicKeyInfo(mechanism, type => cryptoki.attribute(session, key, type))
  const point =
    cryptoki.attributeIfAny(session, key, pkcs11js.CKA_EC_POINT) ??
    cryptoki.attributeIfAny(session, key, CKA_PUBLIC_KEY_INFO) ??
    (await recoveredPoint({ cryptoki, session, key: await signer() }, spec, curve))
  return subjectPublicKeyInfo(mechanism, () => peerPoint(curve, point))
}

const texts = [Buffer.from('strongroom: first signature'), Buffer.from('strongroom: second signature')] as const

/** From two ECDSA signatures: each fits a few public keys (SEC 1, section 4.1.6), and both only that of their key. */
async function recoveredPoint(key: KeyInUse, spec: SupportedKeySpec, curve: Curve): Promise<Buffer> {
  const [first, second] = [await candidates(key, spec, curve, texts[0]), await candidates(key, spec, curve, texts[1])]
  const [point, ...others] = first.filter(candidate => second.includes(candidate))
  if (point === undefined || others.length > 0) throw incorrect('no public key, or several, fit its signatures')
  return octetString(Buffer.from(point, 'hex'))
}

/** Uncompressed points, in hex. */
async function candidates(
  key: KeyInUse,
  spec: SupportedKeySpec,
  curve: Curve,
  text: Buffer,
): Promise<readonly string[]> {
  const { mechanism, input, length } = signing(spec, keySpecs[spec].signingAlgorithms[0]!, 'RAW', text)
  const { Signature } = await ecdsaOf(curve)
  const signature = await key.cryptoki.sign(key.session, mechanism, key.key, input, length)
  return [0, 1, 2, 3].flatMap(recovery => {
    try {
      return [Signature.fromBytes(signature, 'compact').addRecoveryBit(recovery).recoverPublicKey(input).toHex(false)]
    } catch {
      return []
    }
  })
}

/** Loaded only here, as that takes longer than what it does. */
async function ecdsaOf({ name }: Curve) {
  const { p256, p384, p521 } = await import('@noble/curves/nist.js')
  const { secp256k1 } = await import('@noble/curves/secp256k1.js')
  const known = new Map([
    ['prime256v1', p256],
    ['secp384r1', p384],
    ['secp521r1', p521],
    ['secp256k1', secp256k1],
  ])
  const ecdsa = known.get(name)
  if (ecdsa === undefined) throw notImported('it does not tell the public key')
  return ecdsa
}
