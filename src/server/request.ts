import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ApiRequest } from '../apis/api.ts'
import type { Failure } from '../errors.ts'
import type { Body } from './body.ts'
import { clientCertificateOf } from './client-certificates.ts'
import type { ReceivedRequest } from './received-request.ts'
import { bodyTooLarge, headersTooLarge, malformed } from './refusals.ts'

/** Converts Node.js's request to that of the pipeline. */

const nothing = new Uint8Array()
/** Node.js counts the bytes of names and values only. */
const maximumHeaderLines = 1000
/** Bytes. A request for KMS has the target `/`; RFC 9112, section 3, recommends to read 8000. */
export const maximumTarget = 8192

/** The other end of a connection. */
export type Peer = Pick<ApiRequest, 'sourceAddress' | 'secure' | 'tls' | 'clientCertificate'>

/**
 * A peer's address as audit records and policies show it. A socket for both families shows IPv4 as IPv4-mapped IPv6 addresses (RFC 4291,
 * section 2.5.5.2), and link-local addresses with a zone of this host (RFC 4007, section 11).
 *
 * @param address of the socket; absent once it is closed
 */
export function addressOf(address = ''): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
}

/** Of a socket that can be read: a TLS handshake has ended. */
export function peerOf(socket: Socket | TLSSocket): Peer {
  const sourceAddress = addressOf(socket.remoteAddress)
  if (!('encrypted' in socket)) return { sourceAddress, secure: false }
  const tls = { tlsVersion: socket.getProtocol() ?? 'unknown', cipherSuite: socket.getCipher().name }
  return { sourceAddress, secure: true, tls, clientCertificate: clientCertificateOf(socket) }
}

/** @param read reads the body; called only if the headers are valid */
export function apiRequest(
  { method, url, lines: headers, rawHeaders, httpVersion }: ReceivedRequest,
  { sourceAddress, secure, tls, clientCertificate }: Peer,
  body: Body,
  read: () => Promise<Uint8Array>,
): ApiRequest {
  const isTooLong = url!.length > maximumTarget
  const failure =
    (isTooLong ? malformed('The request target is too long.') : mistake(httpVersion, headers, rawHeaders.length / 2)) ??
    (body.announcedTooLong ? bodyTooLarge() : undefined)
  // A target that is too long is not parsed: the canonical form of 64 KB takes up to 70 ms.
  const target = isTooLong ? '' : originForm(url!)
  return { method: method!, url: target, headers, sourceAddress, secure, tls, clientCertificate, body: read, failure }
}

/** The request that represents one that is not HTTP. */
export function unreadableRequest(peer: Peer, failure: Failure): ApiRequest {
  return { method: '', url: '', headers: {}, ...peer, body: async () => nothing, failure }
}

/** An absolute-form target without its scheme and authority (RFC 9112, section 3.2.2): there is one virtual host. */
function originForm(target: string): string {
  if (target.startsWith('/')) return target
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(target)
  if (absolute === null) return target
  const rest = target.slice(absolute[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** Violations of RFC 9110 and RFC 9112 that Node.js's parser accepts. */
function mistake(version: string, headers: ApiRequest['headers'], lines: number): Failure | undefined {
  if (lines > maximumHeaderLines) return headersTooLarge()
  if (!version.startsWith('1.')) return malformed(`HTTP/${version} is not supported.`)
  const { host, expect } = headers
  if (host === undefined && version !== '1.0') return malformed('The Host header is missing.')
  if (Array.isArray(host)) return malformed('There is more than one Host header.')
  if (expect !== undefined && !isContinue(expect))
    return malformed('The expectation of the Expect header is not supported.')
  const encoding = headers['transfer-encoding']
  if (encoding !== undefined && (version === '1.0' || String(encoding).toLowerCase() !== 'chunked'))
    return malformed('The Transfer-Encoding is not supported.')
  return undefined
}

function isContinue(expect: string | string[]): boolean {
  return typeof expect === 'string' && expect.toLowerCase() === '100-continue'
}
