/** What a public key does, done outside the HSM: no secret is in it. */
import { constants, createPublicKey, type KeyObject, publicEncrypt, verify } from 'node:crypto'
import type { EncryptionAlgorithmSpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { signingAlgorithms } from '../model/signing-algorithm.ts'

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

/** Of a whole message: OpenSSL hashes it itself, and has no way to be given the digest of one. */
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
