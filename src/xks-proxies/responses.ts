/**
 * What an XKS proxy answers, checked: XKS Proxy API Specification 1.0.3. A proxy is not trusted, so whatever is not as the specification
 * says is a ProxyFailure `invalidResponse`.
 */
import { decodeBase64 } from '../model/base64.ts'
import type { ExternalCiphertext } from '../model/keys/ciphertext.ts'
import { isXksErrorName, type XksErrorName, xksErrors } from '../model/xks/errors.ts'
import { ciphertextDataIntegrityValue } from '../model/xks/integrity.ts'
import {
  ivLengths,
  longestCiphertextMetadata,
  mostExternalKeyManagers,
  mostKeyUsages,
  tagLength,
} from '../model/xks/limits.ts'
import { type HealthStatus, healthStatuses, type MetadataResponse } from '../model/xks/messages.ts'
import type { Response } from './connection.ts'
import { invalidResponse, ProxyFailure, type ProxyFailureKind } from './proxy-failure.ts'

export type Members = Readonly<Record<string, unknown>>

/** The members of a successful response. Throws the ProxyFailure of any other. */
export function readResponse({ status, contentType, body }: Response): Members {
  if (!/^application\/json\s*(;|$)/i.test(contentType))
    throw invalidResponse(`status ${status} with the content type ${quoted(contentType)}`)
  let members: unknown
  try {
    members = JSON.parse(body)
  } catch {
    throw invalidResponse(`status ${status} with a body that is not JSON`)
  }
  if (typeof members !== 'object' || members === null || Array.isArray(members))
    throw invalidResponse(`status ${status} with a body that is not a JSON object`)
  if (status === 200) return members as Members
  throw refusalOf(status, members as Members)
}

const kinds: Record<XksErrorName, ProxyFailureKind> = {
  ValidationException: 'invalidResponse',
  InvalidStateException: 'keyDisabled',
  InvalidCiphertextException: 'invalidCiphertext',
  InvalidKeyUsageException: 'keyUsage',
  AuthenticationFailedException: 'unauthenticated',
  AccessDeniedException: 'denied',
  KeyNotFoundException: 'keyNotFound',
  InvalidUriPathException: 'invalidPath',
  ThrottlingException: 'throttled',
  InternalException: 'unhealthy',
  UnsupportedOperationException: 'unsupported',
  DependencyTimeoutException: 'timedOut',
}

function refusalOf(status: number, { errorName, errorMessage }: Members): ProxyFailure {
  if (typeof errorName !== 'string' || !isXksErrorName(errorName) || xksErrors[errorName].status !== status)
    return invalidResponse(`status ${status} with the error name ${quoted(errorName)}`)
  const text = errorMessage === undefined ? '' : `: ${quoted(errorMessage)}`
  return new ProxyFailure(kinds[errorName], `${errorName}${text}`)
}

/** @param aad as it was sent */
export function readEncryption(members: Members, plaintextLength: number, aad: Uint8Array): ExternalCiphertext {
  const ciphertext = bytesOf(members, 'ciphertext')
  const iv = bytesOf(members, 'initializationVector')
  const tag = bytesOf(members, 'authenticationTag')
  const metadata = members.ciphertextMetadata === undefined ? none : bytesOf(members, 'ciphertextMetadata')
  checkLength('ciphertext', ciphertext, [plaintextLength])
  checkLength('initializationVector', iv, ivLengths)
  checkLength('authenticationTag', tag, [tagLength])
  if (metadata.length > longestCiphertextMetadata)
    throw invalidResponse(`a ciphertextMetadata of ${metadata.length} bytes`)
  const expected = ciphertextDataIntegrityValue({ aad, metadata, iv, ciphertext, tag })
  if (members.ciphertextDataIntegrityValue !== expected)
    throw invalidResponse('a ciphertextDataIntegrityValue that is not that of the ciphertext')
  return { metadata, iv, tag, ciphertext }
}

const none = new Uint8Array()

export function readDecryption(members: Members, ciphertextLength: number): Uint8Array {
  const plaintext = bytesOf(members, 'plaintext')
  checkLength('plaintext', plaintext, [ciphertextLength])
  return plaintext
}

export function readKeyMetadata({ keySpec, keyUsage, keyStatus }: Members): MetadataResponse {
  if (!isWord(keySpec)) throw invalidResponse(`the keySpec ${quoted(keySpec)}`)
  if (!Array.isArray(keyUsage) || keyUsage.length > mostKeyUsages || !keyUsage.every(isWord))
    throw invalidResponse('a keyUsage that is not a list of at most 10 usages')
  if (keyStatus !== 'ENABLED' && keyStatus !== 'DISABLED') throw invalidResponse(`the keyStatus ${quoted(keyStatus)}`)
  return { keySpec, keyUsage, keyStatus }
}

/** The health of each external key manager behind the proxy; at least one. */
export function readHealth(members: Members): readonly HealthStatus[] {
  const { xksProxyFleetSize, xksProxyVendor, xksProxyModel, ekmVendor, ekmFleetDetails } = members
  if (!Number.isSafeInteger(xksProxyFleetSize) || (xksProxyFleetSize as number) < 1)
    throw invalidResponse('an xksProxyFleetSize that is not a whole number from 1')
  if (![xksProxyVendor, xksProxyModel, ekmVendor].every(isText)) throw invalidResponse('no vendor or model')
  if (!Array.isArray(ekmFleetDetails) || ekmFleetDetails.length < 1 || ekmFleetDetails.length > mostExternalKeyManagers)
    throw invalidResponse('an ekmFleetDetails that is not a list of 1 to 10 external key managers')
  return ekmFleetDetails.map((manager: unknown) => {
    const { id, model, healthStatus } = (manager ?? {}) as Members
    if (!isText(id) || !isText(model)) throw invalidResponse('an external key manager without id or model')
    const status = healthStatuses.find(known => known === healthStatus)
    if (status === undefined) throw invalidResponse(`the healthStatus ${quoted(healthStatus)}`)
    return status
  })
}

function bytesOf(members: Members, name: string): Uint8Array {
  const text = members[name]
  const bytes = typeof text === 'string' ? decodeBase64(text) : undefined
  if (bytes === undefined) throw invalidResponse(`a ${name} that is not in base64`)
  return bytes
}

function checkLength(name: string, { length }: Uint8Array, lengths: readonly number[]): void {
  if (!lengths.includes(length)) throw invalidResponse(`${name} has ${length} bytes, not ${lengths.join(' or ')}`)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** AWS puts it into its own error messages. */
function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value)
}

/** For the log: printable, and not long. */
function quoted(value: unknown): string {
  return JSON.stringify(
    String(value)
      .slice(0, 511)
      .replace(/[^\x20-\x7e]/g, '?'),
  )
}
