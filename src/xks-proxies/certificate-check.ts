/** What AWS KMS needs of the name and the TLS of an XKS proxy: XKS Proxy API Specification 1.0.3, "API content type" and "Authentication". */
import { readFileSync } from 'node:fs'
import type { LookupFunction } from 'node:net'
import { connect, type PeerCertificate } from 'node:tls'
import { isPublicAddress } from './addresses.ts'
import type { Endpoint, ProxyReport } from './proxy-report.ts'

/** Cipher suites that KMS offers, as OpenSSL names them, by TLS version. */
const cipherSuites = [
  ['TLSv1.3', 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'],
  ['TLSv1.2', 'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384'],
] as const

const day = 24 * 60 * 60 * 1000
/** AWS recommends an alarm below this many days. */
const leastDays = 10
/** Milliseconds. */
const handshakeTimeout = 10_000

/** Adds what it finds about the host name. KMS connects over IPv4 only. */
export async function checkName(
  { host, address }: Endpoint,
  lookup: LookupFunction,
  report: ProxyReport,
): Promise<void> {
  if (!/^(?=.*[a-z])[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(host))
    report.warnings.push(`${host} is not a fully qualified name`)
  const found = await lookUp(host, lookup)
  if (found instanceof Error) {
    const text = `${host} has no IPv4 address (${(found as NodeJS.ErrnoException).code}), and AWS KMS uses no other`
    return void (address === undefined ? report.problems : report.warnings).push(text)
  }
  report.addresses = found
  const hidden = found.filter(address => !isPublicAddress(address))
  if (hidden.length > 0 && address === undefined)
    report.warnings.push(`${hidden.join(', ')}: not public, so AWS KMS needs the connectivity VPC_ENDPOINT_SERVICE`)
}

function lookUp(host: string, lookup: LookupFunction): Promise<readonly string[] | Error> {
  const { promise, resolve } = Promise.withResolvers<readonly string[] | Error>()
  lookup(host, { family: 4, all: true }, (error, found) => {
    resolve(error ?? (typeof found === 'string' ? [found] : found.map(({ address }) => address)))
  })
  return promise
}

/**
 * Adds what it finds about versions, cipher suites and certificate. Resolves to whether KMS would go on.
 *
 * @param now milliseconds since the epoch
 */
export async function checkTls(endpoint: Endpoint, now: number, report: ProxyReport): Promise<boolean> {
  const tried = await Promise.all(
    cipherSuites.map(([version, ciphers]) =>
      handshake(endpoint, { minVersion: version, maxVersion: version, ciphers }),
    ),
  )
  const [first, ...others] = tried.filter(result => typeof result !== 'string')
  if (first === undefined) {
    report.problems.push(`no TLS 1.3 or 1.2 with a cipher suite of AWS KMS: ${tried[0]}`)
    return false
  }
  report.tls = [first, ...others].map(({ version, cipherSuite }) => `${version} with ${cipherSuite}`)
  checkCertificate(first.certificate, now, report)
  if (first.refusal !== undefined) {
    report.problems.push(`the certificate is not valid for ${endpoint.host}: ${first.refusal}`)
    return false
  }
  if (endpoint.caFile !== undefined)
    report.warnings.push(`AWS KMS trusts public certificate authorities only, not those of ${endpoint.caFile}`)
  return true
}

function checkCertificate(certificate: PeerCertificate, now: number, report: ProxyReport): void {
  const { subject, issuer, subjectaltname, valid_to: end } = certificate
  const name = (entity: PeerCertificate['subject'] | undefined) => entity?.CN ?? entity?.O ?? 'unnamed'
  report.certificate = `${name(subject)} (${subjectaltname ?? 'no subject alternative name'}), issued by ${name(issuer)}, valid until ${end}`
  const days = Math.floor((Date.parse(end) - now) / day)
  if (days < leastDays) report.warnings.push(`the certificate ${days < 0 ? 'has expired' : `expires in ${days} days`}`)
}

interface Handshake {
  readonly version: string
  readonly cipherSuite: string
  readonly certificate: PeerCertificate
  /** Why the certificate is not trusted, or not for the host. */
  readonly refusal: string | undefined
}

/** Resolves to a text if there is none. */
async function handshake({ host, address, caFile }: Endpoint, versions: object): Promise<Handshake | string> {
  const { hostname, port } = new URL(`tcp://${address ?? `${host}:443`}`)
  const ca = caFile === undefined ? {} : { ca: readFileSync(caFile) }
  const { promise, resolve } = Promise.withResolvers<Handshake | string>()
  const place = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), servername: host }
  // What is wrong with the certificate is reported, instead of ending the handshake.
  const socket = connect({ ...place, ...ca, ...versions, rejectUnauthorized: false }, () => {
    resolve({
      version: socket.getProtocol() ?? '',
      cipherSuite: socket.getCipher().standardName,
      certificate: socket.getPeerCertificate(),
      refusal: socket.authorized ? undefined : String(socket.authorizationError),
    })
    socket.destroy()
  })
  socket.setTimeout(handshakeTimeout, () => socket.destroy(new Error(`no answer within ${handshakeTimeout} ms`)))
  socket.on('error', ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message))
  return promise
}
