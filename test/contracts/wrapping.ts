/** Wraps key material as callers of KMS do, with OpenSSL. */
import { constants, createCipheriv, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto'
import { type WrappingAlgorithm, wrappingAlgorithms } from '../../src/model/keys/wrapping-algorithm.ts'

/** RFC 5649, section 3. */
const alternativeIv = Buffer.from('A65959A6', 'hex')

/** @param publicKey DER SubjectPublicKeyInfo of the wrapping key. @param encryptionKey that RSA_AES_KEY_WRAP_* puts between */
export function wrapMaterial(
  publicKey: Uint8Array,
  algorithm: WrappingAlgorithm,
  material: Uint8Array,
  encryptionKey: Buffer = randomBytes(32),
): Buffer {
  const { hash, usesKeyWrap } = wrappingAlgorithms[algorithm]
  const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' })
  const encrypted = (text: Uint8Array) =>
    publicEncrypt({ key, oaepHash: hash, padding: constants.RSA_PKCS1_OAEP_PADDING }, text)
  if (!usesKeyWrap) return encrypted(material)
  const cipher = createCipheriv(`id-aes${encryptionKey.length * 8}-wrap-pad`, encryptionKey, alternativeIv)
  return Buffer.concat([encrypted(encryptionKey), cipher.update(material), cipher.final()])
}
