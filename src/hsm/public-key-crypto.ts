/** Public-key operations outside the HSM, without secrets. */
import {
  constants,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  verify,
} from 'node:crypto'
import type { EncryptionAlgorithmSpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { signingAlgorithms } from '../model/keys/signing-algorithm.ts'

export type OaepHash = 'sha1' | 'sha256'

export function oaepHash(algorithm: EncryptionAlgorithmSpec): OaepHash {
  return algorithm === 'RSAES_OAEP_SHA_1' ? 'sha1' : 'sha256'
}

const keys = new WeakMap<Uint8Array, KeyObject>()

/** @param publicKey DER SubjectPublicKeyInfo */
function keyOf(publicKey: Uint8Array): KeyObject {
  const known = keys.get(publicKey)
  if (known !== undefined) return known
  const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' })
  keys.set(publicKey, key)
  return key
}

export function encryptOaep(publicKey: Uint8Array, hash: OaepHash, plaintext: Uint8Array): Buffer {
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  return publicEncrypt({ key: keyOf(publicKey), padding, oaepHash: hash }, plaintext)
}

/** Of a whole message, as OpenSSL hashes it itself and accepts no digest. */
export function verifyMessage(
  publicKey: Uint8Array,
  algorithm: SigningAlgorithmSpec,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { scheme, hash } = signingAlgorithms[algorithm]
  const pss = scheme === 'PSS' && {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  }
  return verify(hash, message, { key: keyOf(publicKey), ...pss }, signature)
}

/**
 * One side of ECDH (NIST SP 800-56A, section 5.7.1.2) with an ephemeral private key.
 *
 * @returns the DER SubjectPublicKeyInfo for the other side, and the shared x-coordinate
 */
export function agreeOnce(publicKey: Uint8Array): { readonly peer: Buffer; readonly secret: Buffer } {
  const other = keyOf(publicKey)
  const own = generateKeyPairSync('ec', { namedCurve: other.asymmetricKeyDetails!.namedCurve! })
  const secret = diffieHellman({ privateKey: own.privateKey, publicKey: other })
  return { peer: own.publicKey.export({ format: 'der', type: 'spki' }), secret }
}
