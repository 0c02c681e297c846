/** Error codes and HTTP statuses by protocol, for those whose services do not share those of AWS JSON. */
import type { Failure, FailureCode } from '../errors.ts'

export interface ProtocolError {
  readonly code: string
  readonly status: number
  /** In place of the message of the failure. */
  readonly message?: string | undefined
}

type Row = readonly [code: string, status: number, message?: string]
type Table = Partial<Record<FailureCode, Row>>

/** Common to services with the AWS query protocol: STS API Reference and IAM API Reference, "Common Errors". */
const query: Table = {
  AccessDenied: ['AccessDenied', 403],
  Conflict: ['ConcurrentModification', 409],
  DependencyTimeout: ['ServiceUnavailable', 503],
  // Recorded on AWS STS, as are the next two.
  ExpiredToken: ['ExpiredToken', 403],
  ExpiredIdentityToken: ['ExpiredTokenException', 400],
  InvalidRequestSignature: ['SignatureDoesNotMatch', 403],
  InvalidAuthorizationMessage: ['InvalidAuthorizationMessageException', 400],
  MissingAuthenticationToken: ['MissingAuthenticationToken', 403, 'Request is missing Authentication Token'],
  Internal: ['InternalFailure', 500],
  KeyUnavailable: ['ServiceUnavailable', 503],
  LimitExceeded: ['LimitExceeded', 409],
  NotAuthorized: ['NotAuthorized', 401],
  Serialization: ['MalformedInput', 400],
  UnknownOperation: ['InvalidAction', 400],
  UnrecognizedClient: ['InvalidClientTokenId', 403],
  Validation: ['ValidationError', 400],
}

/** Amazon EC2 User Guide for developers, "Error codes for the Amazon EC2 API". */
const ec2: Table = {
  ...query,
  AccessDenied: ['UnauthorizedOperation', 403],
  ExpiredToken: ['RequestExpired', 400],
  Internal: ['InternalError', 500],
  UnrecognizedClient: ['AuthFailure', 401],
}

/** Amazon S3 API Reference, "Error responses". */
const s3: Table = {
  AccessDenied: ['AccessDenied', 403],
  ExpiredToken: ['ExpiredToken', 400],
  Internal: ['InternalError', 500],
  InvalidRequestSignature: ['SignatureDoesNotMatch', 403],
  MissingAuthenticationToken: ['AccessDenied', 403],
  Throttling: ['SlowDown', 503],
  UnknownOperation: ['NotImplemented', 501],
  UnrecognizedClient: ['InvalidAccessKeyId', 403],
}

export const queryError = errorsIn(query)
export const ec2Error = errorsIn(ec2)
export const s3Error = errorsIn(s3)

function errorsIn(table: Table): (failure: Failure) => ProtocolError {
  return ({ code: known, status: usual }) => {
    const [code, status, message] = table[known] ?? [known, usual]
    return { code, status, message }
  }
}
