/** The canonical request of Signature Version 4, as services other than S3 build it: IAM User Guide, "Create a signed AWS API request". */
import type { Authorization } from './authorization-header.ts'
import { canonicalPath, canonicalQuery, splitTarget } from './request-target.ts'

/** A request whose signature is to be verified. Strings hold one character per byte sent, as Node.js gives them. */
export interface SignedRequest {
  readonly method: string
  /** Path and query as sent, in origin-form (RFC 9112, section 3.2.1). */
  readonly url: string
  /** Names in lower case. Values as sent; those of several lines are an array, in their order. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The raw bytes. */
  body(): Promise<Uint8Array>
}

/**
 * A header said to be signed that is not there adds no line. Taken as empty, as some do, it would let whoever is in between take
 * away an empty header unseen.
 * @param bodyHash hex SHA-256 of the body
 */
export function canonicalRequest(
  { method, url, headers }: SignedRequest,
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
 * Each line trimmed and its inner spaces collapsed, the lines joined by a comma.
 * @param value of a header; of one whose name the caller chose, such as `__proto__`, it may be anything
 */
export function canonicalValue(value: unknown): string | undefined {
  if (typeof value === 'string') return collapse(value)
  return Array.isArray(value) ? value.map(collapse).join(',') : undefined
}

function collapse(value: string): string {
  if (!/^ | $|\t| {2}/.test(value)) return value
  // Not trim(): it also takes away 0xA0, here the last byte of a UTF-8 character.
  return value.replace(/[ \t]+/g, ' ').replace(/^ | $/g, '')
}
