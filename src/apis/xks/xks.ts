import { Failure, type FailureCode, TimedOut } from '../../errors.ts'
import { signingService } from '../../model/xks/credentials.ts'
import { type XksErrorName, xksErrorMessage, xksErrors } from '../../model/xks/errors.ts'
import { parseXksPath, type XksOperation, type XksPath } from '../../model/xks/uris.ts'
import type { AnyOperation } from '../../operations/operation.ts'
import { operations } from '../../operations/xks/catalogue.ts'
import type { Api, ApiRequest, ApiResponse } from '../api.ts'
import { hasRepeatedMember, parseJson } from '../json/parse.ts'
import { readDecrypt, readEncrypt, readHealth, readMetadata } from './read.ts'

/**
 * The XKS Proxy API, served to AWS KMS or another gateway: XKS Proxy API Specification 1.0.3. Keys are KMS keys of the gateway, and their key
 * policies decide, so its actions are those of AWS KMS.
 */
export const xks: Api = {
  service: signingService,
  actionPrefix: 'kms:',
  eventSource: 'xks.strongroom',
  claims: () => true,
  operation: request => named.get(paths[pathOf(request).operation].name)!,
  input(_operation, body, request) {
    const path = pathOf(request)
    return paths[path.operation].read({ keyId: '', ...path }, parse(body)) as unknown as Record<string, unknown>
  },
  accept: (_operation, output) => answer(200, encoded(output ?? {})),
  errorCode: failure => errorName(failure),
  refuse(failure) {
    const name = errorName(failure)
    const status = failure.code === 'MethodNotAllowed' ? failure.status : xksErrors[name].status
    const errorMessage = xksErrorMessage(failure.message)
    return answer(status, { errorName: name, ...(errorMessage !== '' && { errorMessage }) })
  },
}

const named: ReadonlyMap<string, AnyOperation> = new Map(operations.map(operation => [operation.name, operation]))

type Reader = (place: { readonly prefix: string; readonly keyId: string }, body: unknown) => object

/** By the last part of the path: the operation of that name, and what reads its requests. */
const paths: Readonly<Record<XksOperation, { readonly name: string; readonly read: Reader }>> = {
  health: { name: 'GetHealthStatus', read: readHealth },
  metadata: { name: 'GetKeyMetadata', read: readMetadata },
  encrypt: { name: 'Encrypt', read: readEncrypt },
  decrypt: { name: 'Decrypt', read: readDecrypt },
}

function pathOf({ url }: ApiRequest): XksPath {
  const path = parseXksPath(url)
  if (path === undefined) throw new Failure('UnknownOperation', 'There is no such path in the XKS Proxy API.')
  return path
}

/** A member that occurs twice is refused, as others may read the first one. */
function parse(body: Uint8Array): unknown {
  const value = json(body)
  if (hasRepeatedMember(body, value)) throw new Failure('Validation', 'A member of the request occurs twice.')
  return value
}

function json(body: Uint8Array): unknown {
  try {
    return parseJson(body)
  } catch (cause) {
    throw new Failure('Validation', 'The request is not JSON in UTF-8.', { cause })
  }
}

/** By failure; all others are InternalException. */
const errorNames: Readonly<Partial<Record<FailureCode, XksErrorName>>> = {
  AccessDenied: 'AccessDeniedException',
  Conflict: 'ThrottlingException',
  DependencyTimeout: 'DependencyTimeoutException',
  Disabled: 'InvalidStateException',
  IncompleteSignature: 'AuthenticationFailedException',
  InvalidCiphertext: 'InvalidCiphertextException',
  InvalidKeyUsage: 'InvalidKeyUsageException',
  InvalidRequestSignature: 'AuthenticationFailedException',
  InvalidState: 'InvalidStateException',
  LimitExceeded: 'InvalidStateException',
  MalformedHttpRequest: 'ValidationException',
  MethodNotAllowed: 'UnsupportedOperationException',
  MissingAuthenticationToken: 'AuthenticationFailedException',
  NotFound: 'KeyNotFoundException',
  RequestAborted: 'ValidationException',
  RequestEntityTooLarge: 'UnsupportedOperationException',
  RequestHeaderSectionTooLarge: 'ValidationException',
  RequestTimeout: 'ValidationException',
  Serialization: 'ValidationException',
  Throttling: 'ThrottlingException',
  UnknownOperation: 'InvalidUriPathException',
  UnrecognizedClient: 'AuthenticationFailedException',
  UnsupportedOperation: 'UnsupportedOperationException',
  Validation: 'ValidationException',
}

function errorName(failure: Failure): XksErrorName {
  if (failure instanceof TimedOut) return 'DependencyTimeoutException'
  return errorNames[failure.code] ?? 'InternalException'
}

/** Bytes in base64 (RFC 4648, section 4). */
function encoded(output: object): object {
  const members: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(output))
    members[name] =
      value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64') : value
  return members
}

function answer(status: number, body: object): ApiResponse {
  return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
}
