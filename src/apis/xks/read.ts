/** Reads the JSON of requests to the XKS proxy. Members that are not known are ignored: AWS may add some. */
import { Failure, type FailureCode } from '../../errors.ts'
import { base64Length, decodeBase64 } from '../../model/base64.ts'
import { ivLengths, longestAad, longestArn, longestCiphertextMetadata, tagLength } from '../../model/xks/limits.ts'
import type { CryptographyRequestMetadata, KeyRequestMetadata } from '../../model/xks/messages.ts'
import { encryptionAlgorithm, integrityAlgorithm } from '../../model/xks/messages.ts'
import type { DecryptInput, EncryptInput, HealthInput, MetadataInput } from '../../operations/xks/operation.ts'

type Members = Readonly<Record<string, unknown>>

/** Bytes of a plaintext or ciphertext. KMS sends at most 4300. */
const longestText = 16_384

/** The key of a path; empty in that of the health. */
type Place = { readonly prefix: string; readonly keyId: string }

// Each reader makes its objects in one literal: objects that are spread into others are slower to read and to wipe.

export function readHealth({ prefix }: Place, body: unknown): HealthInput {
  const members = metadataIn(membersOf(body))
  return {
    prefix,
    requestMetadata: { kmsRequestId: opaque(members, 'kmsRequestId'), kmsOperation: opaque(members, 'kmsOperation') },
  }
}

export function readMetadata({ prefix, keyId }: Place, body: unknown): MetadataInput {
  const members = metadataIn(membersOf(body))
  return {
    prefix,
    externalKeyId: keyId,
    requestMetadata: keyMetadata(members, optional(members, 'kmsKeyArn', longestArn)),
  }
}

export function readEncrypt({ prefix, keyId }: Place, body: unknown): EncryptInput {
  const members = membersOf(body)
  const requestMetadata = cryptographyMetadata(metadataIn(members))
  checkConstant(members, 'encryptionAlgorithm', encryptionAlgorithm, true)
  const asksForIntegrityValue = checkConstant(
    members,
    'ciphertextDataIntegrityValueAlgorithm',
    integrityAlgorithm,
    false,
  )
  return {
    prefix,
    externalKeyId: keyId,
    requestMetadata,
    additionalAuthenticatedData: aadIn(members),
    plaintext: textBytes(members, 'plaintext'),
    asksForIntegrityValue,
  }
}

export function readDecrypt({ prefix, keyId }: Place, body: unknown): DecryptInput {
  const members = membersOf(body)
  const requestMetadata = cryptographyMetadata(metadataIn(members))
  checkConstant(members, 'encryptionAlgorithm', encryptionAlgorithm, true)
  return {
    prefix,
    externalKeyId: keyId,
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

function cryptographyMetadata(members: Members): CryptographyRequestMetadata {
  return keyMetadata(members, required(members, 'kmsKeyArn', longestArn))
}

function keyMetadata<A extends string | undefined>(
  members: Members,
  kmsKeyArn: A,
): KeyRequestMetadata & { readonly kmsKeyArn: A } {
  return {
    kmsRequestId: opaque(members, 'kmsRequestId'),
    kmsOperation: opaque(members, 'kmsOperation'),
    awsPrincipalArn: required(members, 'awsPrincipalArn', longestArn),
    kmsKeyArn,
    awsSourceVpc: optional(members, 'awsSourceVpc', longestName),
    awsSourceVpce: optional(members, 'awsSourceVpce', longestName),
    kmsViaService: optional(members, 'kmsViaService', longestName),
  }
}

/** Not checked for its form: AWS may send others than today. */
function opaque(members: Members, name: string): string {
  return required(members, name, longestName)
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

function required(members: Members, name: string, longest: number): string {
  const value = optional(members, name, longest)
  if (value === undefined) throw invalid(`${name} is missing.`)
  return value
}

/** Null is as absent. */
function optional(members: Members, name: string, longest: number): string | undefined {
  const value = members[name] ?? undefined
  if (value === undefined) return undefined
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
