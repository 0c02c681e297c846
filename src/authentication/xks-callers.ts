/** Who calls the XKS proxy: a prefix by one of its credentials. XKS Proxy API Specification 1.0.3, "Authentication". */
import { Failure } from '../errors.ts'
import { certificatesIn } from '../model/certificates.ts'
import type { AccessKey } from '../model/identities/access-key.ts'
import type { ServiceCaller } from '../model/identities/caller.ts'
import { greatestClockSkew, signingService } from '../model/xks/credentials.ts'
import { credentialName, type XksPrefix, xksPrincipal } from '../model/xks/prefix.ts'
import { parseXksPath } from '../model/xks/uris.ts'
import type { SignedRequest } from './canonical-request.ts'
import { SigV4 } from './sigv4.ts'

/** The certificate that a client has proved to have. */
export interface PeerCertificate {
  /** CN of its subject; undefined if there is none, or more than one. */
  readonly commonName: string | undefined
  /** SHA-256 fingerprints of the certificates above it, in the form of X509Certificate.fingerprint256. */
  readonly issuers: readonly string[]
}

export interface XksCallersOptions {
  /** By name; called for every request, so that a change is seen at once. */
  readonly prefix: (name: string) => XksPrefix | undefined
  /** PEM, of prefixes without authorities of their own: see acceptsCertificate. */
  readonly authorities: () => readonly string[]
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Called once per credential and day. @param credential whose id is its credentialName */
  readonly unseal: (credential: AccessKey) => Promise<Uint8Array>
  /** Called for every request with a valid signature. */
  readonly used: (prefix: XksPrefix, accessKeyId: string, request: SignedRequest) => void
}

type XksRequest = SignedRequest & { readonly clientCertificate?: PeerCertificate | undefined }

/**
 * Rejects with UnknownOperation for a path that is none of the API, MethodNotAllowed for another method than POST, and with the failures of
 * SigV4.verify.
 */
export function xksCallers(options: XksCallersOptions): (request: XksRequest) => Promise<ServiceCaller> {
  const verifiers = new Map<string, SigV4>()
  const verifierOf = ({ name, region }: XksPrefix) => {
    const id = `${region} ${name}`
    const verifier = verifiers.get(id) ?? verifierFor(name, region, options)
    verifiers.set(id, verifier)
    return verifier
  }
  return async request => {
    const path = parseXksPath(request.url)
    const prefix = path && options.prefix(path.prefix)
    if (prefix === undefined) throw new Failure('UnknownOperation', 'There is no such path in the XKS Proxy API.')
    if (request.method !== 'POST') throw new Failure('MethodNotAllowed', 'The XKS Proxy API has no method but POST.')
    if (!acceptsCertificate(prefix, request.clientCertificate, options.authorities))
      throw new Failure('InvalidRequestSignature', 'The client certificate is not one of the prefix.')
    if (request.headers['x-amz-date'] === undefined)
      throw new Failure('IncompleteSignature', 'The header x-amz-date is missing.')
    const { credentials } = await verifierOf(prefix).verify(request)
    const accessKeyId = (credentials as AccessKey).id.slice(credentialName(prefix.name, '').length)
    options.used(prefix, accessKeyId, request)
    return callerOf(prefix, accessKeyId)
  }
}

function verifierFor(name: string, region: string, { prefix, clock, unseal }: XksCallersOptions): SigV4 {
  return new SigV4({
    service: signingService,
    regions: new Set([region]),
    maxClockSkew: greatestClockSkew * 1000,
    clock,
    accessKey: id => accessKeyOf(prefix(name), id),
    unseal,
    unsealSession: async () => undefined,
  })
}

/** The credential as an access key, under the name to which its secret is bound. An inactive one is as unknown. */
function accessKeyOf(prefix: XksPrefix | undefined, accessKeyId: string): AccessKey | undefined {
  const credential = prefix?.credentials.find(known => known.accessKeyId === accessKeyId)
  if (credential?.status !== 'Active') return undefined
  return { ...credential, id: credentialName(prefix!.name, accessKeyId), principalArn: xksPrincipal, revision: 0 }
}

/** So that a prefix's own clients come back as the same caller. */
const callers = new WeakMap<XksPrefix, Map<string, ServiceCaller>>()

function callerOf(prefix: XksPrefix, accessKeyId: string): ServiceCaller {
  const known = callers.get(prefix) ?? new Map<string, ServiceCaller>()
  callers.set(prefix, known)
  const caller = known.get(accessKeyId) ?? proxyCaller(prefix, [prefix.account], accessKeyId)
  known.set(accessKeyId, caller)
  return caller
}

/** The caller of the requests to a prefix. */
export function proxyCaller(
  { name, region }: Pick<XksPrefix, 'name' | 'region'>,
  accounts: readonly string[],
  accessKeyId: string,
): ServiceCaller {
  return {
    type: 'service',
    service: xksPrincipal,
    arn: xksPrincipal,
    principalId: `${xksPrincipal}/${name}`,
    account: '',
    accounts,
    region,
    accessKeyId,
    policies: [],
    tags: [],
  }
}

/**
 * Whether a client with this certificate, or without one, may send requests to the prefix. The listener trusts the authorities of all
 * prefixes, but no prefix trusts those of another one.
 *
 * @param authorities PEM; of prefixes without authorities of their own
 */
export function acceptsCertificate(
  { clientCertificate: needed }: XksPrefix,
  certificate: PeerCertificate | undefined,
  authorities: () => readonly string[],
): boolean {
  if (needed === undefined) return true
  if (certificate === undefined || certificate.commonName !== needed.commonName) return false
  const trusted = needed.ca === undefined ? authorities() : [needed.ca]
  return trusted.flatMap(fingerprintsOf).some(known => certificate.issuers.includes(known))
}

const fingerprints = new Map<string, readonly string[]>()

/** Of all authorities in a PEM text. */
function fingerprintsOf(pem: string): readonly string[] {
  const known = fingerprints.get(pem)
  if (known !== undefined) return known
  const read = certificatesIn(pem).map(({ fingerprint256 }) => fingerprint256)
  fingerprints.set(pem, read)
  return read
}
