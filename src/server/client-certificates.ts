/** Client certificates (mutual TLS) of a listener. */
import type { Server } from 'node:https'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import type { ApiRequest } from '../apis/api.ts'

type ClientCertificate = NonNullable<ApiRequest['clientCertificate']>

/** Which certificates a listener takes; asked for each connection, so that changes need no restart. */
export interface ClientCertificates {
  /** PEM of the authorities that are trusted. */
  authorities(): readonly string[]
  /** Whether a client with this certificate, or without one, may call at all: if not, the handshake ends the connection. */
  admits(certificate: ClientCertificate | undefined): boolean
}

/** Undefined if there is none, or it is not of an authority that the listener trusts. */
export function clientCertificateOf(socket: TLSSocket): ClientCertificate | undefined {
  if (!socket.authorized) return undefined
  const certificate = socket.getPeerCertificate(true)
  const commonName = certificate.subject.CN as string | readonly string[] | undefined
  return { commonName: typeof commonName === 'string' ? commonName : undefined, issuers: issuersOf(certificate) }
}

/** The chain that was verified, from the certificate's issuer to the authority, which is its own issuer. */
function issuersOf({ issuerCertificate: issuer, fingerprint256 }: DetailedPeerCertificate): readonly string[] {
  if (issuer === undefined || issuer.fingerprint256 === fingerprint256) return []
  return [issuer.fingerprint256, ...issuersOf(issuer)]
}

/** Calls `renew` before the handshake of a connection if the authorities have changed since the last one. */
export function followAuthorities(server: Server, { authorities }: ClientCertificates, renew: () => void): void {
  let known = authorities().join('\n')
  server.prependListener('connection', () => {
    const now = authorities().join('\n')
    if (now === known) return
    known = now
    renew()
  })
}
