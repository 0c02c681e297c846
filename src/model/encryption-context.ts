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
  const keys = Object.keys(context)
  if (keys.length > 1) keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  let length = 4
  for (const key of keys) length += 8 + Buffer.byteLength(key) + Buffer.byteLength(context[key]!)
  if (length > maximumLength) {
    throw new Failure('ValidationException', `The encryption context exceeds the limit of ${maximumLength} bytes.`)
  }
  const form = Buffer.allocUnsafe(length)
  let offset = form.writeUInt32BE(keys.length)
  for (const key of keys) offset = writeItem(form, context[key]!, writeItem(form, key, offset))
  return form
}

/** Returns where the next item goes. */
function writeItem(form: Buffer, item: string, offset: number): number {
  const length = form.write(item, offset + 4)
  form.writeUInt32BE(length, offset)
  return offset + 4 + length
}
