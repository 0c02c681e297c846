/** AES key wrap with padding, outside the HSM: RFC 5649. */
import { createCipheriv, createDecipheriv } from 'node:crypto'

/** RFC 5649, section 3: the alternative initial value, without its length. */
const alternativeIv = Buffer.from('A65959A6', 'hex')
/** Bytes of an AES-256 key. */
export const keyEncryptionKeyLength = 32

export function wrapWithPadding(key: Buffer, material: Buffer): Buffer {
  const cipher = createCipheriv('id-aes256-wrap-pad', key, alternativeIv)
  return Buffer.concat([cipher.update(material), cipher.final()])
}

/** Undefined if the key is none of AES-256, or not the one that wrapped it. */
export function unwrapWithPadding(key: Buffer, wrapped: Buffer): Buffer | undefined {
  if (key.length !== keyEncryptionKeyLength) return undefined
  const decipher = createDecipheriv('id-aes256-wrap-pad', key, alternativeIv)
  try {
    // All of it comes at once: the end adds nothing.
    return decipher.update(wrapped)
  } catch {
    return undefined
  }
}
