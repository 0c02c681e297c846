/** Where the operations of an XKS proxy are: AWS KMS External Key Store Proxy API Specification 1.0.3, "API operations". */

/** Characters at most. */
const longestUriPath = 128
export const longestUri = 256

/**
 * Host of an XksProxyUriEndpoint, the same however it is spelled: in lower case, without the dot of the DNS root (no part of a TLS server
 * name: RFC 6066, section 3), an address in its usual form: `https://2130706433` is one, too. Undefined if it is not a valid endpoint.
 */
export function endpointHost(uriEndpoint: string): string | undefined {
  if (!/^https:\/\/[a-zA-Z0-9.-]+$/.test(uriEndpoint) || !URL.canParse(uriEndpoint)) return undefined
  return new URL(uriEndpoint).hostname.replace(/(?<=.)\.$/, '')
}

/** XksProxyUriPath of version 1: `/kms/xks/v1`, after the prefix if there is one. */
export function isUriPath(text: string): boolean {
  return text.length <= longestUriPath && /^(?:\/[a-zA-Z0-9/_-]+)?\/kms\/xks\/v1$/.test(text)
}

/** XksProxyUriPath of a prefix. @param name of the prefix, without slashes at its ends; empty for none */
export function uriPathOf(name: string): string {
  return `${name && `/${name}`}/kms/xks/v1`
}

/** Names of keys in the external key manager: the proxy alone gives them a meaning. */
export function isExternalKeyId(text: string): boolean {
  return /^[a-zA-Z0-9._-]{1,128}$/.test(text)
}

export const keyOperations = ['metadata', 'encrypt', 'decrypt'] as const
export type KeyOperation = (typeof keyOperations)[number]
export type XksOperation = 'health' | KeyOperation

/** With the name of the prefix. */
export type XksPath = { readonly prefix: string } & (
  | { readonly operation: 'health' }
  | { readonly operation: KeyOperation; readonly keyId: string }
)

const operationPath =
  /^(?:\/([a-zA-Z0-9/_-]+))?\/kms\/xks\/v1\/(?:health|keys\/([a-zA-Z0-9._-]{1,128})\/(metadata|encrypt|decrypt))$/

/** Undefined for a path that is none of the API. @param path without a query */
export function parseXksPath(path: string): XksPath | undefined {
  if (path.length > longestUri) return undefined
  const [whole, prefix = '', keyId, operation] = operationPath.exec(path) ?? []
  if (whole === undefined) return undefined
  return keyId === undefined ? { prefix, operation: 'health' } : { prefix, operation: operation as KeyOperation, keyId }
}

/** @param uriPath XksProxyUriPath */
export function healthPath(uriPath: string): string {
  return `${uriPath}/health`
}

/** @param uriPath XksProxyUriPath */
export function keyPath(uriPath: string, keyId: string, operation: KeyOperation): string {
  return `${uriPath}/keys/${keyId}/${operation}`
}
