import { Failure } from '../errors.ts'

export type EncryptionContext = Readonly<Record<string, string>>

/** Bytes of the canonical form; AWS documents no number, its request size limits come to about this. */
const maximumLength = 8192

/**
 * The canonical form of an encryption context, for use as additional authenticated data: the number of pairs, then each pair
 * in order of its key's UTF-8 bytes, key and value each preceded by its length; all numbers are 32-bit big-endian. As every
 * item carries its length, no two contexts share a form. An absent context is the empty one.
 */
export function encodeEncryptionContext(context: EncryptionContext = {}): Uint8Array {
  const pairs = Object.entries(context).map(([key, value]) => [Buffer.from(key), Buffer.from(value)] as const)
  if (pairs.length > 1) pairs.sort(([a], [b]) => Buffer.compare(a, b))
  const length = pairs.reduce((sum, [key, value]) => sum + 8 + key.length + value.length, 4)
  if (length > maximumLength) {
    throw new Failure('ValidationException', `The encryption context exceeds the limit of ${maximumLength} bytes.`)
  }
  const form = Buffer.allocUnsafe(length)
  let offset = form.writeUInt32BE(pairs.length)
  for (const item of pairs.flat()) {
    offset = form.writeUInt32BE(item.length, offset)
    offset += item.copy(form, offset)
  }
  return form
}
