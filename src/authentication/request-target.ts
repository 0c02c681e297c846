/** Path and query of a request target, and their canonical forms in Signature Version 4. */

/** The query is without its question mark; empty if there is none. */
export function splitTarget(url: string): { readonly path: string; readonly query: string } {
  const mark = url.indexOf('?')
  return mark < 0 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) }
}

/** Segments of unreserved characters that do not begin with a dot. */
const isCanonical = /^(?:\/[A-Za-z0-9\-_~][A-Za-z0-9\-._~]*)+$/

/**
 * Dot segments and empty segments removed (RFC 3986, section 6), then percent-encoded again, including escapes. Paths with the same
 * canonical form have the same signature, so they must be equivalent.
 */
export function canonicalPath(path: string): string {
  if (path === '/' || isCanonical.test(path)) return path
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(percentEncode(segment))
  }
  return `/${segments.join('/')}${segments.length > 0 && path.endsWith('/') ? '/' : ''}`
}

/**
 * Parameters sorted by name and value, each decoded and encoded again. A parameter without `=` has an empty value. A `+` is a plus sign, not
 * a space.
 */
export function canonicalQuery(query: string): string {
  if (query === '') return ''
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
