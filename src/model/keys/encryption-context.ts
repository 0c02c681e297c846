import { Failure } from '../../errors.ts'

export type EncryptionContext = Readonly<Record<string, string>>

/** Bytes of the canonical form; AWS documents no limit; its limits on request sizes imply about this. */
const maximumLength = 8192

/** Throws Validation for one that is too long, without reading beyond the limit. */
export function checkEncryptionContext(context: Readonly<Record<string, string | null>>): void {
  let length = 4
  for (const key of Object.keys(context)) {
    length += pairLength(key, context[key] ?? '')
    if (length <= maximumLength) continue
    throw new Failure('Validation', `The encryption context exceeds the limit of ${maximumLength} bytes.`)
  }
}

/**
 * The canonical form of an encryption context, for use as additional authenticated data: the number of pairs, then each pair
 * in order of its key's UTF-8 bytes, key and value each preceded by its length; all numbers are 32-bit big-endian. As every
 * item carries its length, no two contexts share a form. An absent context is the empty one.
 */
export function encodeEncryptionContext(context: EncryptionContext = {}): Uint8Array {
  const keys = inByteOrder(Object.keys(context))
  let length = 4
  for (const key of keys) length += pairLength(key, context[key]!)
  const form = Buffer.allocUnsafe(length)
  let offset = form.writeUInt32BE(keys.length)
  for (const key of keys) offset = writeItem(form, context[key]!, writeItem(form, key, offset))
  return form
}

function inByteOrder(keys: readonly string[]): readonly string[] {
  if (keys.length < 2) return keys
  const encoded = keys.map(key => ({ key, bytes: Buffer.from(key) }))
  return encoded.sort((a, b) => Buffer.compare(a.bytes, b.bytes)).map(({ key }) => key)
}

function pairLength(key: string, value: string): number {
  return 8 + Buffer.byteLength(key) + Buffer.byteLength(value)
}

/** Returns the offset of the next item. */
function writeItem(form: Buffer, item: string, offset: number): number {
  const length = form.write(item, offset + 4)
  form.writeUInt32BE(length, offset)
  return offset + 4 + length
}
