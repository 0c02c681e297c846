/**
 * The bytes of base64 with padding (RFC 4648, section 4); undefined unless it is the canonical form, which section 3.5 lets a decoder
 * require. Node.js also decodes the URL alphabet, and skips invalid characters, which the length reveals. The whole text is not encoded
 * again, as strings cannot be wiped.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  const groups = Math.ceil(bytes.length / 3)
  const isCanonical =
    text.length === 4 * groups &&
    !/[-_]/.test(text) &&
    bytes.toString('base64', Math.max(0, 3 * (groups - 1))) === text.slice(-4)
  if (isCanonical) return bytes
  bytes.fill(0)
  return undefined
}

/** Characters of the base64 of this many bytes. */
export function base64Length(bytes: number): number {
  return 4 * Math.ceil(bytes / 3)
}
