/** Certificates for tests, made by openssl. */
import { execFileSync, spawnSync } from 'node:child_process'
import type { TlsFiles } from '../../src/server/tls.ts'

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0

/** Writes a new self-signed certificate and its key. */
export function makeCertificate({ certificateFile, keyFile }: TlsFiles): void {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', keyFile, '-out', certificateFile], {
    stdio: 'ignore',
  })
}

/** Writes a new authority, and a certificate of it for a client with this common name. */
export function makeClientCertificate(authority: TlsFiles, client: TlsFiles, commonName: string): void {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const run = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' })
  const own = ['-keyout', authority.keyFile, '-out', authority.certificateFile]
  run('req', '-x509', ...curve, '-subj', '/CN=an authority', ...own)
  const by = ['-CA', authority.certificateFile, '-CAkey', authority.keyFile]
  const issued = ['-keyout', client.keyFile, '-out', client.certificateFile]
  run('req', '-x509', ...curve, '-subj', `/CN=${commonName}`, ...by, '-addext', 'basicConstraints=CA:FALSE', ...issued)
}
