import type { EncryptionAlgorithmSpec } from '@aws-sdk/client-kms'
import { decodeCiphertext, encodeCiphertext, encodeHeader } from '../model/keys/ciphertext.ts'
import { type EncryptionContext, encodeEncryptionContext } from '../model/keys/encryption-context.ts'
import { currentMaterial, type Key, type KeyMaterial, objectOf } from '../model/keys/key.ts'
import type { Hsms } from '../services.ts'
import { held, hsmKey } from './materials.ts'

/**
 * Encryption as in KMS. Symmetric: a ciphertext blob, bound to its key material and to its encryption context. Asymmetric: only the block
 * of the algorithm, so that anyone with the public key can encrypt, too.
 */

export function encryptWith(
  hsms: Hsms,
  key: Key,
  algorithm: EncryptionAlgorithmSpec,
  plaintext: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  if (algorithm === 'SYMMETRIC_DEFAULT') return encryptBlob(hsms, currentMaterial(key), plaintext, context)
  const { hsm, hsmKey } = held(hsms, key)
  return hsm.encryptRaw(hsmKey, algorithm, plaintext)
}

interface Decryptor {
  readonly key: Key
  /** The material named by the blob. */
  readonly material: KeyMaterial
  readonly algorithm: EncryptionAlgorithmSpec
}

/** Rejects with InvalidCiphertext, without text, whatever the reason: damage, another context, another key. */
export function decryptWith(
  hsms: Hsms,
  { key, material, algorithm }: Decryptor,
  ciphertext: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  if (algorithm === 'SYMMETRIC_DEFAULT') return decryptBlob(hsms, material, ciphertext, context)
  const object = objectOf(material)
  return hsms.named(object.hsm).decryptRaw(hsmKey(key, object), algorithm, ciphertext)
}

export async function encryptBlob(
  hsms: Hsms,
  material: KeyMaterial,
  plaintext: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  const object = objectOf(material)
  const hsm = hsms.named(object.hsm)
  const { ivLength } = hsm
  const header = encodeHeader(material.id, ivLength)
  const { iv, ciphertext } = await hsm.encrypt(object.id, plaintext, additionalData(header, context), ivLength)
  return encodeCiphertext(header, iv, ciphertext)
}

/** @param material the one named by the blob */
export async function decryptBlob(
  hsms: Hsms,
  material: KeyMaterial,
  blob: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  const { header, ...sealed } = decodeCiphertext(blob)
  const object = objectOf(material)
  return hsms.named(object.hsm).decrypt(object.id, sealed, additionalData(header, context))
}

function additionalData(header: Uint8Array, context: EncryptionContext | undefined): Uint8Array {
  return Buffer.concat([header, encodeEncryptionContext(context)])
}
