/** The canonical request of Signature Version 4, as services other than S3 build it: IAM User Guide, "Create a signed AWS API request". */

/** A request whose signature is to be verified. Strings hold one character per byte sent, as Node.js gives them. */
export interface SignedRequest {
  readonly method: string
  /** Path and query as sent. */
  readonly url: string
  /** Names in lower case. A value sent on more than one line is an array. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The raw bytes. */
  body(): Promise<Uint8Array>
}

/**
 * A header said to be signed that is not there adds no line. Taken as empty, as some do, it would let whoever is in between take
 * away an empty header unseen.
 * @param bodyHash hex SHA-256 of the body
 */
export function canonicalRequest(request: SignedRequest, signedHeaders: ReadonlySet<string>, bodyHash: string): string {
  const { method, url } = request
  const query = url.indexOf('?')
  const path = canonicalPath(query < 0 ? url : url.slice(0, query))
  let text = `${method}\n${path}\n${query < 0 ? '' : canonicalQuery(url.slice(query + 1))}\n`
  for (const name of signedHeaders) {
    const value = headerValue(request, name)
    if (value !== undefined) text += `${name}:${value}\n`
  }
  return `${text}\n${[...signedHeaders].join(';')}\n${bodyHash}`
}

/** Trimmed, inner spaces collapsed, repeated values joined by a comma. */
export function headerValue({ headers }: SignedRequest, name: string): string | undefined {
  // The name may be anything, `__proto__` too: only texts count.
  const value: unknown = headers[name]
  if (typeof value === 'string') return collapse(value)
  return Array.isArray(value) ? value.map(collapse).join(',') : undefined
}

function collapse(value: string): string {
  if (!/^ | $|\t| {2}/.test(value)) return value
  // Not trim(): it also takes away 0xA0, here the last byte of a UTF-8 character.
  return value.replace(/[ \t]+/g, ' ').replace(/^ | $/g, '')
}

function canonicalPath(path: string): string {
  if (path === '/') return path
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(percentEncode(segment))
  }
  return `/${segments.join('/')}${segments.length > 0 && path.endsWith('/') ? '/' : ''}`
}

function canonicalQuery(query: string): string {
  const parameters: { name: string; value: string }[] = []
  for (const parameter of query.split('&')) {
    if (parameter === '') continue
    const equals = parameter.indexOf('=')
    const name = equals < 0 ? parameter : parameter.slice(0, equals)
    const value = equals < 0 ? '' : parameter.slice(equals + 1)
    parameters.push({ name: percentEncode(percentDecode(name)), value: percentEncode(percentDecode(value)) })
  }
  // By name, then by value: sorting whole pairs would put `a-b=` before `a=`.
  parameters.sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value))
  return parameters.map(({ name, value }) => `${name}=${value}`).join('&')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Every byte but the unreserved characters of RFC 3986, section 2.3. */
function percentEncode(text: string): string {
  return text.replace(/[^A-Za-z0-9\-._~]/g, character => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
  })
}

function percentDecode(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
