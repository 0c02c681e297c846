import { decodeCiphertext, encodeCiphertext, encodeHeader } from '../model/ciphertext.ts'
import { type EncryptionContext, encodeEncryptionContext } from '../model/encryption-context.ts'
import type { KeyMaterial } from '../model/key.ts'
import type { Hsms } from '../services.ts'

/** Symmetric encryption as KMS means it: a ciphertext blob, bound to its key material and to its encryption context. */

export async function encryptBlob(
  hsms: Hsms,
  material: KeyMaterial,
  plaintext: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  const hsm = hsms.named(material.hsm)
  const header = encodeHeader(material.id, hsm.ivLength)
  const { iv, ciphertext } = await hsm.encrypt(material.id, plaintext, additionalData(header, context))
  return encodeCiphertext(header, iv, ciphertext)
}

/**
 * @param material the one that the blob names
 * Rejects with InvalidCiphertextException, without text, whatever is wrong: damage, another context, another key.
 */
export async function decryptBlob(
  hsms: Hsms,
  material: KeyMaterial,
  blob: Uint8Array,
  context?: EncryptionContext,
): Promise<Uint8Array> {
  const { header, ...sealed } = decodeCiphertext(blob)
  return hsms.named(material.hsm).decrypt(material.id, sealed, additionalData(header, context))
}

function additionalData(header: Uint8Array, context: EncryptionContext | undefined): Uint8Array {
  return Buffer.concat([header, encodeEncryptionContext(context)])
}
