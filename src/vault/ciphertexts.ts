import type { EncryptionAlgorithmSpec } from '@aws-sdk/client-kms'
import { Failure } from '../errors.ts'
import { decodeCiphertext, encodeCiphertext, encodeHeader } from '../model/keys/ciphertext.ts'
import { type EncryptionContext, encodeEncryptionContext } from '../model/keys/encryption-context.ts'
import { encryptionLimit } from '../model/keys/encryption-limit.ts'
import { currentMaterial, type Key, type KeyMaterial, objectOf } from '../model/keys/key.ts'
import type { Hsms, Services } from '../services.ts'
import { held, hsmKey } from './materials.ts'

/**
 * Encryption as in KMS. Symmetric: a ciphertext blob, bound to its key material and to its encryption context. Asymmetric: only the block
 * of the algorithm, so that anyone with the public key can encrypt, too.
 */

/** What encrypts: HSMs, and storage, which counts the encryptions. */
export type Vault = Pick<Services, 'storage' | 'hsms'>

export function encryptWith(
  vault: Vault,
  key: Key,
  algorithm: EncryptionAlgorithmSpec,
  plaintext: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  if (algorithm === 'SYMMETRIC_DEFAULT') return encryptBlob(vault, currentMaterial(key), plaintext, context)
  const { hsm, hsmKey } = held(vault.hsms, key)
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

/**
 * Every encryption with AES-GCM. Counted whether it succeeds or not; one that is repeated on another HSM worker is counted once. Rejects with
 * LimitExceeded once the material has encrypted as many messages as it may, whoever its key belongs to.
 */
export async function encryptBlob(
  { hsms, storage: { encryptions } }: Vault,
  material: KeyMaterial,
  plaintext: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  const object = objectOf(material)
  const hsm = hsms.named(object.hsm)
  const { ivLength } = hsm
  const header = encodeHeader(material.id, ivLength)
  if (encryptions.made(material.id) >= encryptionLimit) throw usedUp(material)
  const writing = encryptions.count(material.id)
  if (writing) await writing
  const { iv, ciphertext } = await hsm.encrypt(object.id, plaintext, additionalData(header, context), ivLength)
  return encodeCiphertext(header, iv, ciphertext)
}

function usedUp({ id, imported }: KeyMaterial): Failure {
  const remedy = imported ? 'Import new key material and rotate the key on demand' : 'Rotate the key on demand'
  const text = `The key material ${id} has encrypted ${encryptionLimit} messages, as many as AES-GCM allows. ${remedy}, or use another key.`
  return new Failure('LimitExceeded', text)
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
