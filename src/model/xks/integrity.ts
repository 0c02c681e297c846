import { createHash, hash } from 'node:crypto'
import { longestAad } from './limits.ts'

/**
 * The AAD that an XKS proxy gives to AES-GCM, so that the tag covers the ciphertextMetadata as well: XKS Proxy API Specification 1.0.3,
 * "Encrypt". Absent and empty are the same. As both carry their lengths, no two pairs share a form.
 *
 *     length of the AAD (2, big-endian) | AAD | length of the metadata (1) | metadata
 *
 * Throws for one that is too long; the limits are checked before.
 */
export function hsmAad(aad: Uint8Array | undefined, metadata: Uint8Array | undefined): Uint8Array {
  return withLengths(aad?.length ?? 0, aad, metadata)
}

/**
 * The AAD that AWS's sample proxy gives to AES-GCM instead: SHA-256 of the AAD stands in the place of the AAD, after the length of the AAD
 * itself. An empty AAD has a digest as well, an absent one has none.
 */
export function sampleProxyAad(aad: Uint8Array | undefined, metadata: Uint8Array | undefined): Uint8Array {
  return withLengths(aad?.length ?? 0, aad && hash('sha256', aad, 'buffer'), metadata)
}

function withLengths(aadLength: number, aad: Uint8Array = none, metadata: Uint8Array = none): Uint8Array {
  if (aadLength > longestAad) throw new RangeError(`an AAD of ${aadLength} bytes`)
  if (metadata.length > 255) throw new RangeError(`a ciphertextMetadata of ${metadata.length} bytes`)
  const whole = Buffer.allocUnsafe(3 + aad.length + metadata.length)
  whole.writeUInt16BE(aadLength)
  whole.set(aad, 2)
  whole[2 + aad.length] = metadata.length
  whole.set(metadata, 3 + aad.length)
  return whole
}

const none = new Uint8Array()

/** An encryption, in bytes. */
export interface Encrypted {
  readonly aad?: Uint8Array | undefined
  readonly metadata?: Uint8Array | undefined
  readonly iv: Uint8Array
  readonly ciphertext: Uint8Array
  readonly tag: Uint8Array
}

/**
 * The ciphertextDataIntegrityValue (CDIV), in base64: XKS Proxy API Specification 1.0.3, appendix C. It detects flipped bits only if it is
 * computed before the same buffers are decrypted for a check.
 */
export function ciphertextDataIntegrityValue({ aad, metadata, iv, ciphertext, tag }: Encrypted): string {
  const digest = createHash('sha256')
  for (const part of [aad, metadata, iv, ciphertext, tag]) if (part) digest.update(part)
  return digest.digest('base64')
}
