import { isIPv4 } from 'node:net'

/** Whether a host, as written in the configuration, is this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** Whether audit records may be sent there: over TLS, or within this machine. User and password in a URL would be a secret. */
export function isSecureUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  const isSecure = protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname.replace(/^\[|\]$/g, '')))
  return isSecure && username === '' && password === ''
}
