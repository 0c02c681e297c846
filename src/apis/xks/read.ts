/** Reads the JSON of requests to the XKS proxy. Members that are not known are ignored: AWS may add some. */
import { Failure, type FailureCode } from '../../errors.ts'
import { base64Length, decodeBase64 } from '../../model/base64.ts'
import { ivLengths, longestAad, longestArn, longestCiphertextMetadata, tagLength } from '../../model/xks/limits.ts'
import type {
  CryptographyRequestMetadata,
  HealthRequestMetadata,
  KeyRequestMetadata,
} from '../../model/xks/messages.ts'
import { encryptionAlgorithm, integrityAlgorithm } from '../../model/xks/messages.ts'
import type { DecryptInput, EncryptInput, HealthInput, MetadataInput } from '../../operations/xks/operation.ts'

type Members = Readonly<Record<string, unknown>>

/** Bytes of a plaintext or ciphertext. KMS sends at most 4300. */
export const longestText = 16_384

export function readHealth(body: unknown): Omit<HealthInput, 'prefix'> {
  return { requestMetadata: healthMetadata(metadataIn(membersOf(body))) }
}

export function readMetadata(body: unknown): Pick<MetadataInput, 'requestMetadata'> {
  const members = metadataIn(membersOf(body))
  const kmsKeyArn = text(members, 'kmsKeyArn', longestArn, false)
  return { requestMetadata: { ...keyMetadata(members), ...(kmsKeyArn !== undefined && { kmsKeyArn }) } }
}

export function readEncrypt(body: unknown): Omit<EncryptInput, 'prefix' | 'externalKeyId'> {
  const members = membersOf(body)
  const requestMetadata = cryptographyMetadata(metadataIn(members))
  checkConstant(members, 'encryptionAlgorithm', encryptionAlgorithm, true)
  const asksForIntegrityValue = checkConstant(
    members,
    'ciphertextDataIntegrityValueAlgorithm',
    integrityAlgorithm,
    false,
  )
  const additionalAuthenticatedData = aadIn(members)
  return {
    requestMetadata,
    plaintext: textBytes(members, 'plaintext'),
    additionalAuthenticatedData,
    asksForIntegrityValue,
  }
}

export function readDecrypt(body: unknown): Omit<DecryptInput, 'prefix' | 'externalKeyId'> {
  const members = membersOf(body)
  const requestMetadata = cryptographyMetadata(metadataIn(members))
  checkConstant(members, 'encryptionAlgorithm', encryptionAlgorithm, true)
  return {
    requestMetadata,
    ciphertext: textBytes(members, 'ciphertext'),
    initializationVector: bytesOfLength(members, 'initializationVector', ivLengths),
    authenticationTag: bytesOfLength(members, 'authenticationTag', [tagLength]),
    ciphertextMetadata: bytes(members, 'ciphertextMetadata', longestCiphertextMetadata),
    additionalAuthenticatedData: aadIn(members),
  }
}

function metadataIn(members: Members): Members {
  const { requestMetadata } = members
  if (isObject(requestMetadata)) return requestMetadata
  throw invalid('requestMetadata must be an object.')
}

/** Neither is checked for its form: AWS may send others than today. */
function healthMetadata(members: Members): HealthRequestMetadata {
  return {
    kmsRequestId: text(members, 'kmsRequestId', longestName, true),
    kmsOperation: text(members, 'kmsOperation', longestName, true),
  }
}

function keyMetadata(members: Members): KeyRequestMetadata {
  const optional: Record<string, string> = {}
  for (const name of ['awsSourceVpc', 'awsSourceVpce', 'kmsViaService']) {
    const value = text(members, name, longestName, false)
    if (value !== undefined) optional[name] = value
  }
  return {
    ...healthMetadata(members),
    awsPrincipalArn: text(members, 'awsPrincipalArn', longestArn, true),
    ...optional,
  }
}

function cryptographyMetadata(members: Members): CryptographyRequestMetadata {
  return { ...keyMetadata(members), kmsKeyArn: text(members, 'kmsKeyArn', longestArn, true) }
}

/** Characters of a text that is no ARN; the specification has no limit. */
const longestName = 2048

function membersOf(body: unknown): Members {
  if (isObject(body)) return body
  throw invalid('The request must be a JSON object.')
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Null is as absent. */
function text(members: Members, name: string, longest: number, isRequired: true): string
function text(members: Members, name: string, longest: number, isRequired: boolean): string | undefined
function text(members: Members, name: string, longest: number, isRequired: boolean): string | undefined {
  const value = members[name] ?? undefined
  if (value === undefined && !isRequired) return undefined
  if (typeof value !== 'string' || value === '') throw invalid(`${name} must be a text that is not empty.`)
  if (value.length > longest) throw invalid(`${name} is longer than ${longest} characters.`)
  return value
}

/** Whether the member is there. */
function checkConstant(members: Members, name: string, only: string, isRequired: boolean): boolean {
  const value = members[name] ?? undefined
  if (value === undefined && !isRequired) return false
  if (value !== only) throw invalid(`${name} must be ${only}.`)
  return true
}

/** A plaintext or ciphertext. */
function textBytes(members: Members, name: string): Uint8Array {
  const found = bytes(members, name, longestText, 'UnsupportedOperation')
  if (found === undefined || found.length === 0) throw invalid(`${name} must not be empty.`)
  return found
}

function aadIn(members: Members): Uint8Array | undefined {
  return bytes(members, 'additionalAuthenticatedData', longestAad)
}

function bytesOfLength(members: Members, name: string, lengths: readonly number[]): Uint8Array {
  const found = bytes(members, name, Math.max(...lengths))
  if (found !== undefined && lengths.includes(found.length)) return found
  throw invalid(`${name} must have ${lengths.join(' or ')} bytes.`)
}

/** The length is checked before anything is decoded. */
function bytes(
  members: Members,
  name: string,
  longest: number,
  tooLong: FailureCode = 'Validation',
): Uint8Array | undefined {
  const value = members[name] ?? undefined
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw invalid(`${name} must be base64.`)
  if (value.length > base64Length(longest)) throw new Failure(tooLong, `${name} is longer than ${longest} bytes.`)
  const decoded = decodeBase64(value)
  if (decoded === undefined) throw invalid(`${name} is not base64 with padding (RFC 4648, section 4).`)
  if (decoded.length > longest) throw new Failure(tooLong, `${name} is longer than ${longest} bytes.`)
  return decoded
}

function invalid(message: string): Failure {
  return new Failure('Validation', message)
}
