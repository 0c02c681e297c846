/**
 * Every failure a caller can receive, in one table: its code, its HTTP status and whose fault it is. The codes are the gateway's own;
 * each API translates them to those of its wire protocol. Statuses are those of AWS JSON 1.1, which answers every client-side error
 * with 400 but those of HTTP itself; an API whose protocol has other statuses gives its own.
 */
const caller = { status: 400, fault: 'caller' } as const
const server = { status: 500, fault: 'server' } as const

export const failures = {
  AccessDenied: caller,
  AlreadyExists: caller,
  CloudHsmClusterInUse: caller,
  CloudHsmClusterInvalidConfiguration: caller,
  CloudHsmClusterNotActive: caller,
  CloudHsmClusterNotFound: caller,
  CloudHsmClusterNotRelated: caller,
  Conflict: caller,
  CustomKeyStoreHasCMKs: caller,
  CustomKeyStoreInvalidState: caller,
  CustomKeyStoreNameInUse: caller,
  CustomKeyStoreNotFound: caller,
  Disabled: caller,
  DryRunOperation: caller,
  ExpiredIdentityToken: caller,
  ExpiredImportToken: caller,
  ExpiredToken: caller,
  IDPCommunicationError: caller,
  IDPRejectedClaim: { status: 403, fault: 'caller' },
  IncompleteSignature: caller,
  IncorrectKey: caller,
  IncorrectKeyMaterial: caller,
  IncorrectTrustAnchor: caller,
  InvalidAliasName: caller,
  InvalidArn: caller,
  InvalidAuthorizationMessage: caller,
  InvalidCiphertext: caller,
  InvalidEventCategory: caller,
  InvalidGrantId: caller,
  InvalidGrantToken: caller,
  InvalidIdentityToken: caller,
  InvalidImportToken: caller,
  InvalidKeyUsage: caller,
  InvalidLookupAttributes: caller,
  InvalidMac: caller,
  InvalidMarker: caller,
  InvalidMaxResults: caller,
  InvalidNextToken: caller,
  InvalidRequestSignature: caller,
  InvalidSignature: caller,
  InvalidState: caller,
  InvalidTag: caller,
  InvalidTimeRange: caller,
  LimitExceeded: caller,
  MalformedHttpRequest: caller,
  MalformedPolicyDocument: caller,
  MethodNotAllowed: { status: 405, fault: 'caller' },
  MissingAuthenticationToken: caller,
  NotAuthorized: caller,
  NotFound: caller,
  PackedPolicyTooLarge: caller,
  RequestAborted: caller,
  RequestEntityTooLarge: { status: 413, fault: 'caller' },
  RequestHeaderSectionTooLarge: { status: 431, fault: 'caller' },
  RequestTimeout: { status: 408, fault: 'caller' },
  Serialization: caller,
  Throttling: caller,
  UnknownOperation: caller,
  UnrecognizedClient: caller,
  UnsupportedOperation: caller,
  Validation: caller,
  XksKeyAlreadyInUse: caller,
  XksKeyInvalidConfiguration: caller,
  XksKeyNotFound: caller,
  XksProxyIncorrectAuthenticationCredential: caller,
  XksProxyInvalidConfiguration: caller,
  XksProxyInvalidResponse: caller,
  XksProxyUriEndpointInUse: caller,
  XksProxyUriInUse: caller,
  XksProxyUriUnreachable: caller,
  XksProxyVpcEndpointServiceInUse: caller,
  XksProxyVpcEndpointServiceInvalidConfiguration: caller,
  XksProxyVpcEndpointServiceNotFound: caller,
  /** The HSM or proxy of a connected custom key store cannot be reached. */
  KeyStoreUnavailable: caller,
  DependencyTimeout: { status: 503, fault: 'server' },
  Internal: server,
  KeyUnavailable: server,
} as const satisfies Record<string, { status: number; fault: 'caller' | 'server' }>

export type FailureCode = keyof typeof failures

/**
 * An error response. The message is shown to the caller word for word, so it never holds a secret; the actual reason is in `cause`, which
 * is logged and never sent. Several AWS errors have no message: leave it out.
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

  /** Turns anything thrown into a failure; an unexpected error becomes Internal, without a message. */
  static from(thrown: unknown): Failure {
    return thrown instanceof Failure ? thrown : new Failure('Internal', '', { cause: thrown })
  }
}

/** Whether an HSM cannot be used now. */
export function isUnavailable(thrown: unknown): boolean {
  return thrown instanceof Failure && (thrown.code === 'KeyUnavailable' || thrown.code === 'KeyStoreUnavailable')
}

export function missingAuthenticationToken(): Failure {
  return new Failure('MissingAuthenticationToken', 'Missing Authentication Token')
}

/** Why policies refuse a request: for the log and the audit record, never for the caller. */
export interface Refusal {
  /** With the prefix of its API. */
  readonly action?: string
  /** ARN, or `*`. */
  readonly resource?: string
  /** Sentences, few and short. */
  readonly reasons: readonly string[]
  /** Whether a policy denies it, rather than none allowing it. */
  readonly explicitDeny?: boolean
}

export class AccessDenied extends Failure {
  readonly refusal: Refusal

  constructor(message: string, refusal: Refusal) {
    super('AccessDenied', message)
    this.refusal = refusal
  }

  /** The same for the caller, with a message that it can have decoded. */
  withEncodedMessage(encoded: string): AccessDenied {
    return new AccessDenied(`${this.message} Encoded authorization failure message: ${encoded}`, this.refusal)
  }
}

/** A key that the caller may use, in a state that does not allow it. */
export class UnusableKey extends Failure {
  /** Of the key. */
  readonly arn: string
  /** Its KMS key state. */
  readonly state: string

  constructor(code: FailureCode, message: string, { arn, state }: { readonly arn: string; readonly state: string }) {
    super(code, message)
    this.arn = arn
    this.state = state
  }
}

/** An HSM, or what else a request depends on, did not answer in time. */
export class TimedOut extends Failure {
  constructor() {
    super('KeyUnavailable', 'The HSM did not answer in time.')
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
