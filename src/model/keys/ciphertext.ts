import { crc32 } from 'node:zlib'
import { Failure } from '../../errors.ts'

/**
 * The ciphertext blob of symmetric encryption; docs/ciphertext.md is its specification.
 *
 *     format (1) | material id (32) | IV length (1) | CRC-32 of these (4) | IV | ciphertext | tag (16)
 *
 * The first 38 bytes are the header. It is authenticated: it goes into the AAD, before the encryption context.
 */
export interface Ciphertext {
  /** 64 lower-case hex digits. */
  readonly material: string
  readonly iv: Uint8Array
  /** Ciphertext and its 16-byte tag. */
  readonly ciphertext: Uint8Array
}

const format = 1
const materialEnd = 33
const checkedEnd = 34
const headerLength = 38
const tagLength = 16

export function encodeHeader(material: string, ivLength: number): Uint8Array {
  const header = Buffer.allocUnsafe(headerLength)
  header[0] = format
  header.write(material, 1, 'hex')
  header[materialEnd] = ivLength
  header.writeUInt32BE(crc32(header.subarray(0, checkedEnd)), checkedEnd)
  return header
}

/** Throws if the header states another length of the IV: such a blob could never be decrypted. */
export function encodeCiphertext(header: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  if (iv.length !== header[materialEnd]) throw new Error(`The IV has ${iv.length} bytes, not ${header[materialEnd]}.`)
  return Buffer.concat([header, iv, ciphertext])
}

/**
 * Throws InvalidCiphertext, without text, for anything but a blob of this format. The CRC is no security measure (the tag is): it
 * distinguishes a damaged header from one that names a key which no longer exists.
 */
export function decodeCiphertext(blob: Uint8Array): Ciphertext & { readonly header: Uint8Array } {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength)
  const ivEnd = headerLength + (bytes[materialEnd] ?? 0)
  if (
    bytes.length < ivEnd + tagLength ||
    bytes[0] !== format ||
    bytes.readUInt32BE(checkedEnd) !== crc32(bytes.subarray(0, checkedEnd))
  ) {
    throw new Failure('InvalidCiphertext')
  }
  return {
    header: bytes.subarray(0, headerLength),
    material: bytes.toString('hex', 1, materialEnd),
    iv: bytes.subarray(headerLength, ivEnd),
    ciphertext: bytes.subarray(ivEnd),
  }
}
