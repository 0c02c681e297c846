/**
 * Every failure a caller can receive, in one table: its code as it appears on the wire, its HTTP status and whose fault it is.
 * Codes and statuses: AWS KMS API Reference, "Common Errors" and the errors of each operation. The JSON 1.1 endpoint answers
 * every client-side error with 400.
 */
const caller = { status: 400, fault: 'caller' } as const
const server = { status: 500, fault: 'server' } as const

export const failures = {
  AccessDeniedException: caller,
  AlreadyExistsException: caller,
  ConflictException: caller,
  CustomKeyStoreNotFoundException: caller,
  DisabledException: caller,
  DryRunOperationException: caller,
  ExpiredTokenException: caller,
  IncompleteSignatureException: caller,
  IncorrectKeyException: caller,
  InvalidAliasNameException: caller,
  InvalidArnException: caller,
  InvalidCiphertextException: caller,
  InvalidGrantTokenException: caller,
  InvalidKeyUsageException: caller,
  InvalidMarkerException: caller,
  InvalidSignatureException: caller,
  KMSInvalidMacException: caller,
  KMSInvalidSignatureException: caller,
  KMSInvalidStateException: caller,
  LimitExceededException: caller,
  MalformedHttpRequestException: caller,
  MalformedPolicyDocumentException: caller,
  MissingAuthenticationTokenException: caller,
  NotAuthorizedException: caller,
  NotFoundException: caller,
  RequestAbortedException: caller,
  RequestEntityTooLargeException: { status: 413, fault: 'caller' },
  // Amazon S3's name: the other services have none.
  RequestHeaderSectionTooLarge: { status: 431, fault: 'caller' },
  RequestTimeoutException: { status: 408, fault: 'caller' },
  SerializationException: caller,
  TagException: caller,
  ThrottlingException: caller,
  UnknownOperationException: caller,
  UnrecognizedClientException: caller,
  UnsupportedOperationException: caller,
  ValidationException: caller,
  DependencyTimeoutException: { status: 503, fault: 'server' },
  KMSInternalException: server,
  KeyUnavailableException: server,
} as const satisfies Record<string, { status: number; fault: 'caller' | 'server' }>

export type FailureCode = keyof typeof failures

/**
 * An answer that is not a success. The message is shown to the caller word for word, so it never holds a secret; what really
 * happened travels in `cause`, which is logged and never answered. Several AWS errors have no text at all: leave it out.
 */
export class Failure extends Error {
  readonly code: FailureCode

  constructor(code: FailureCode, message = '', options?: ErrorOptions) {
    super(message, options)
    this.name = 'Failure'
    this.code = code
  }

  get status(): number {
    return failures[this.code].status
  }

  get fault(): 'caller' | 'server' {
    return failures[this.code].fault
  }

  /** Turns anything that was thrown into a failure; what nobody foresaw says nothing. */
  static from(thrown: unknown): Failure {
    return thrown instanceof Failure ? thrown : new Failure('KMSInternalException', '', { cause: thrown })
  }
}

/** A mistake of the operator (configuration, files, PIN): one clear line, no stack trace, exit code 1 or 2. */
export class OperatorError extends Error {
  readonly exitCode: 1 | 2

  constructor(message: string, options?: ErrorOptions & { exitCode?: 1 | 2 }) {
    super(message, options)
    this.name = 'OperatorError'
    this.exitCode = options?.exitCode ?? 1
  }
}
