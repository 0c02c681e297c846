/** The canonical request of Signature Version 4, for services other than S3: IAM User Guide, "Create a signed AWS API request". */
import type { Authorization } from './authorization-header.ts'
import { canonicalPath, canonicalQuery, splitTarget } from './request-target.ts'

/** A request whose signature is to be verified. Strings have one character per byte, as in Node.js. */
export interface SignedRequest {
  readonly method: string
  /** Path and query as sent, in origin-form (RFC 9112, section 3.2.1). */
  readonly url: string
  /** Names in lower case. Values as sent; an array for several lines. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The raw bytes. */
  body(): Promise<Uint8Array>
  /** IPv4 or IPv6; may be empty. */
  readonly sourceAddress: string
}

/**
 * A signed header that is missing adds no line. If it were treated as empty, a man in the middle could remove an empty header unnoticed.
 * @param bodyHash hex SHA-256 of the body
 */
export function canonicalRequest(
  { method, url, headers }: Pick<SignedRequest, 'method' | 'url' | 'headers'>,
  { signedHeaders, signedHeaderList }: Pick<Authorization, 'signedHeaders' | 'signedHeaderList'>,
  bodyHash: string,
): string {
  const { path, query } = splitTarget(url)
  let text = `${method}\n${canonicalPath(path)}\n${canonicalQuery(query)}\n`
  for (const name of signedHeaders) {
    const value = canonicalValue(headers[name])
    if (value !== undefined) text += `${name}:${value}\n`
  }
  return `${text}\n${signedHeaderList}\n${bodyHash}`
}

/**
 * Lines trimmed, with runs of spaces collapsed, joined by commas.
 * @param value of a header; may be anything for a name such as `__proto__`
 */
export function canonicalValue(value: unknown): string | undefined {
  if (typeof value === 'string') return collapse(value)
  return Array.isArray(value) ? value.map(collapse).join(',') : undefined
}

function collapse(value: string): string {
  if (!/^ | $|\t| {2}/.test(value)) return value
  // Not trim(): it also removes 0xA0, which may be the last byte of a UTF-8 character.
  return value.replace(/[ \t]+/g, ' ').replace(/^ | $/g, '')
}
