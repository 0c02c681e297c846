import { crc32 } from 'node:zlib'
import { Failure } from '../../errors.ts'
import { ivLengths, longestCiphertextMetadata, tagLength } from '../xks/limits.ts'

/**
 * The ciphertext blob of symmetric encryption; docs/ciphertext.md is its specification.
 *
 *     format 1 (1) | material id (32) | IV length (1) | CRC-32 of these (4) | IV | ciphertext | tag (16)
 *
 * The first 38 bytes are the header. It is authenticated: it goes into the AAD, before the encryption context. In format 2, all behind the
 * header is encrypted again, with an external key:
 *
 *     header, of format 2 | metadata length (1) | metadata | IV length (1) | IV | tag (16) | ciphertext of: IV | ciphertext | tag (16)
 */
export interface Ciphertext extends Blob {
  readonly format: 1
  readonly iv: Uint8Array
  /** Ciphertext and its 16-byte tag. */
  readonly ciphertext: Uint8Array
}

/** A blob of format 2. */
export interface DoubleCiphertext extends Blob {
  readonly format: 2
  readonly external: ExternalCiphertext
}

interface Blob {
  readonly header: Uint8Array
  /** 64 lower-case hex digits. */
  readonly material: string
}

/** What an external key has encrypted: see model/xks/. */
export interface ExternalCiphertext {
  /** The proxy's own. */
  readonly metadata: Uint8Array
  readonly iv: Uint8Array
  readonly tag: Uint8Array
  readonly ciphertext: Uint8Array
}

/** The first byte: encrypted with the key material only, or with an external key as well. */
export type BlobFormat = 1 | 2

const materialEnd = 33
const checkedEnd = 34
const headerLength = 38

export function encodeHeader(material: string, ivLength: number, format: BlobFormat = 1): Uint8Array {
  const header = Buffer.allocUnsafe(headerLength)
  header[0] = format
  header.write(material, 1, 'hex')
  header[materialEnd] = ivLength
  header.writeUInt32BE(crc32(header.subarray(0, checkedEnd)), checkedEnd)
  return header
}

/** Throws if the header states another length of the IV: such a blob could never be decrypted. */
export function encodeCiphertext(header: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  checkIv(header, iv)
  return Buffer.concat([header, iv, ciphertext])
}

/** What an external key is to encrypt. Throws as encodeCiphertext does. */
export function encodeInner(header: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  checkIv(header, iv)
  return Buffer.concat([iv, ciphertext])
}

function checkIv(header: Uint8Array, { length }: Uint8Array): void {
  if (length !== header[materialEnd]) throw new Error(`The IV has ${length} bytes, not ${header[materialEnd]}.`)
}

/** @param header of format 2 */
export function encodeExternal(header: Uint8Array, { metadata, iv, tag, ciphertext }: ExternalCiphertext): Uint8Array {
  return Buffer.concat([header, Buffer.of(metadata.length), metadata, Buffer.of(iv.length), iv, tag, ciphertext])
}

/**
 * Throws InvalidCiphertext, without text, for anything but a blob of these formats. The CRC is no security measure (the tag is): it
 * distinguishes a damaged header from one that names a key which no longer exists.
 */
export function decodeCiphertext(blob: Uint8Array): Ciphertext | DoubleCiphertext {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength)
  const [format] = bytes
  if (
    bytes.length < headerLength ||
    (format !== 1 && format !== 2) ||
    bytes.readUInt32BE(checkedEnd) !== crc32(bytes.subarray(0, checkedEnd))
  ) {
    throw new Failure('InvalidCiphertext')
  }
  const header = bytes.subarray(0, headerLength)
  const named = { header, material: bytes.toString('hex', 1, materialEnd) }
  const rest = bytes.subarray(headerLength)
  return format === 1
    ? { format, ...named, ...decodeInner(header, rest) }
    : { format, ...named, ...decodeExternal(rest) }
}

/** What the key material has encrypted. Throws as decodeCiphertext does. */
export function decodeInner(header: Uint8Array, inner: Uint8Array): Pick<Ciphertext, 'iv' | 'ciphertext'> {
  const ivLength = header[materialEnd]!
  if (inner.length < ivLength + tagLength) throw new Failure('InvalidCiphertext')
  return { iv: inner.subarray(0, ivLength), ciphertext: inner.subarray(ivLength) }
}

function decodeExternal(bytes: Uint8Array): { readonly external: ExternalCiphertext } {
  const metadataEnd = 1 + (bytes[0] ?? 0)
  const ivEnd = metadataEnd + 1 + (bytes[metadataEnd] ?? 0)
  const tagEnd = ivEnd + tagLength
  const external = {
    metadata: bytes.subarray(1, metadataEnd),
    iv: bytes.subarray(metadataEnd + 1, ivEnd),
    tag: bytes.subarray(ivEnd, tagEnd),
    ciphertext: bytes.subarray(tagEnd),
  }
  const isWhole = bytes.length > tagEnd
  if (!isWhole || external.metadata.length > longestCiphertextMetadata || !ivLengths.includes(external.iv.length))
    throw new Failure('InvalidCiphertext')
  return { external }
}
