/** The subset of DER (ITU-T X.690) that keys and signatures need. */

export const tags = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  sequence: 0x30,
} as const

/** Wipes the contents once they are copied: they may be parts of a private key. */
export function element(tag: number, ...contents: Buffer[]): Buffer {
  const length = contents.reduce((sum, content) => sum + content.length, 0)
  const header = [tag, ...lengthBytes(length)]
  const whole = Buffer.alloc(header.length + length)
  whole.set(header)
  let offset = header.length
  for (const content of contents) {
    offset += content.copy(whole, offset)
    content.fill(0)
  }
  return whole
}

export function sequence(...contents: Buffer[]): Buffer {
  return element(tags.sequence, ...contents)
}

/** @param magnitude big-endian, not negative; any number of leading zeros */
export function integer(magnitude: Buffer): Buffer {
  const start = magnitude.findIndex(byte => byte !== 0)
  if (start < 0) return element(tags.integer, Buffer.alloc(1))
  const digits = Buffer.from(magnitude.subarray(start))
  return digits[0]! < 0x80 ? element(tags.integer, digits) : element(tags.integer, Buffer.alloc(1), digits)
}

export function octetString(...contents: Buffer[]): Buffer {
  return element(tags.octetString, ...contents)
}

export function bitString(content: Buffer): Buffer {
  return element(tags.bitString, Buffer.alloc(1), content)
}

export function nothing(): Buffer {
  return element(tags.null)
}

/** @param encoded the contents in hex */
export function oid(encoded: string): Buffer {
  return element(tags.oid, Buffer.from(encoded, 'hex'))
}

function lengthBytes(length: number): readonly number[] {
  if (length < 0x80) return [length]
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff)
  return [0x80 | bytes.length, ...bytes]
}

/**
 * The magnitudes of a SEQUENCE of two INTEGERs that are not negative; undefined for anything else, and for anything that is
 * BER but not DER.
 */
export function twoIntegers(der: Buffer): readonly [Buffer, Buffer] | undefined {
  const content = contentOf(der, tags.sequence)
  if (content === undefined || content.rest.length > 0) return undefined
  const first = contentOf(content.value, tags.integer)
  const second = first && contentOf(first.rest, tags.integer)
  if (second === undefined || second.rest.length > 0) return undefined
  const [a, b] = [magnitudeOf(first!.value), magnitudeOf(second.value)]
  return a && b && [a, b]
}

/** One element of DER; its value is a view. */
export interface Element {
  readonly tag: number
  readonly value: Buffer
}

/** Undefined for anything that is not a series of elements in DER. */
export function elementsOf(der: Buffer): readonly Element[] | undefined {
  const found: Element[] = []
  for (let rest = der; rest.length > 0; ) {
    const [tag] = rest
    const content = contentOf(rest, tag!)
    if (content === undefined) return undefined
    found.push({ tag: tag!, value: content.value })
    rest = content.rest
  }
  return found
}

function contentOf(der: Buffer, tag: number): { readonly value: Buffer; readonly rest: Buffer } | undefined {
  const [actual, short] = der
  if (actual !== tag || short === undefined) return undefined
  let start = 2
  let length = short
  if (short >= 0x80) {
    start += short & 0x7f
    if (start > Math.min(der.length, 4)) return undefined
    length = der.subarray(2, start).reduce((sum, byte) => (sum << 8) | byte, 0)
  }
  const header = [tag, ...lengthBytes(length)]
  if (header.length !== start || !der.subarray(0, start).equals(Buffer.from(header))) return undefined
  if (der.length < start + length) return undefined
  return { value: der.subarray(start, start + length), rest: der.subarray(start + length) }
}

/** Of the contents of an INTEGER, as a view; undefined if it is negative or not DER. */
export function magnitudeOf(value: Buffer): Buffer | undefined {
  const [first, second] = value
  if (first === undefined || first >= 0x80) return undefined
  if (first === 0 && second !== undefined && second < 0x80) return undefined
  return first === 0 ? value.subarray(1) : value
}
