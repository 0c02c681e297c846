/** Why a call to an XKS proxy failed, and what AWS makes of it: KMS Developer Guide, "Troubleshooting external key stores". */
import { Failure, type FailureCode } from '../errors.ts'
import type { ConnectionErrorCode } from '../model/keys/custom-key-store.ts'

interface Row {
  /** When a store is connected. */
  readonly connectionErrorCode: ConnectionErrorCode
  /** When a store is created or updated. */
  readonly code: FailureCode
  /** Also of the failure of a cryptographic operation. Existing clients look for these words. */
  readonly text: string
  /** Whether it is worth repeating: see model/xks/errors.ts. */
  readonly retryable: boolean
  /** Whether it is the proxy's answer to this request, and no fault of the proxy. */
  readonly isRefusal: boolean
  /** Whether it counts for the circuit breaker: one that answers costs no time, and a caller may know how to make it fail. */
  readonly opensBreaker: boolean
}

const lost = { retryable: true, isRefusal: false, opensBreaker: true } as const
const fault = { retryable: true, isRefusal: false, opensBreaker: false } as const
const refusal = { retryable: false, isRefusal: true, opensBreaker: false } as const

const proxyFailures = {
  timedOut: {
    connectionErrorCode: 'XKS_PROXY_TIMED_OUT',
    code: 'XksProxyUriUnreachable',
    text: 'AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the request. If you see this error repeatedly, report it to your external key store proxy administrator.',
    ...lost,
  },
  unreachable: {
    connectionErrorCode: 'XKS_PROXY_NOT_REACHABLE',
    code: 'XksProxyUriUnreachable',
    text: 'AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. If you see this error repeatedly, verify that your external key store proxy is active and is connected to the network, and that its endpoint URI is correct in your external key store.',
    ...lost,
  },
  unhealthy: {
    connectionErrorCode: 'XKS_PROXY_NOT_REACHABLE',
    code: 'XksProxyUriUnreachable',
    text: 'The external key store proxy is in an unhealthy state. If you see this message repeatedly, notify your external key store proxy administrator.',
    ...fault,
  },
  throttled: {
    connectionErrorCode: 'XKS_PROXY_NOT_REACHABLE',
    code: 'XksProxyUriUnreachable',
    text: 'The external key store proxy rejected the request due to a very high request rate. Retry the request. If you see this error repeatedly, report it to your external key store proxy administrator.',
    ...fault,
  },
  tls: {
    connectionErrorCode: 'XKS_PROXY_INVALID_TLS_CONFIGURATION',
    code: 'XksProxyInvalidConfiguration',
    text: 'AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS configuration, including its certificate.',
    ...lost,
    retryable: false,
  },
  invalidResponse: {
    connectionErrorCode: 'XKS_PROXY_INVALID_RESPONSE',
    code: 'XksProxyInvalidResponse',
    text: 'AWS KMS cannot interpret the response from the external key store proxy. If you see this error repeatedly, consult your external key store proxy administrator.',
    ...fault,
    retryable: false,
  },
  unauthenticated: {
    connectionErrorCode: 'INVALID_CREDENTIALS',
    code: 'XksProxyIncorrectAuthenticationCredential',
    text: 'The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify the credentials for your external key store and update if necessary.',
    ...refusal,
  },
  wrongClock: {
    connectionErrorCode: 'XKS_PROXY_INVALID_CONFIGURATION',
    code: 'XksProxyInvalidConfiguration',
    text: 'The external key store proxy rejected the request because its clock differs from that of AWS KMS by more than 5 minutes. Correct the clock of your external key store proxy.',
    ...refusal,
  },
  denied: {
    connectionErrorCode: 'XKS_PROXY_ACCESS_DENIED',
    code: 'XksProxyInvalidConfiguration',
    text: 'The external key store proxy denied access to the operation. Verify that the user and the external key are both authorized for this operation, and try the request again.',
    ...refusal,
  },
  invalidPath: {
    connectionErrorCode: 'XKS_PROXY_INVALID_CONFIGURATION',
    code: 'XksProxyInvalidConfiguration',
    text: 'The external key store proxy rejected the request because of an invalid URI path. Verify the URI path for your external key store and update if necessary.',
    ...refusal,
  },
  unsupported: {
    connectionErrorCode: 'XKS_PROXY_INVALID_CONFIGURATION',
    code: 'UnsupportedOperation',
    text: 'The external key store proxy rejected the request because it does not support the requested cryptographic operation.',
    ...refusal,
  },
  keyNotFound: {
    connectionErrorCode: 'XKS_PROXY_INVALID_RESPONSE',
    code: 'XksKeyNotFound',
    text: 'The external key store proxy rejected the request because it could not find the external key.',
    ...refusal,
  },
  keyDisabled: {
    connectionErrorCode: 'XKS_PROXY_ACCESS_DENIED',
    code: 'XksProxyInvalidConfiguration',
    text: 'The external key store proxy rejected the request because the external key is not enabled in the external key manager.',
    ...refusal,
  },
  keyUsage: {
    connectionErrorCode: 'XKS_PROXY_INVALID_RESPONSE',
    code: 'XksKeyInvalidConfiguration',
    text: 'The external key store proxy rejected the request because the external key does not support the requested operation.',
    ...refusal,
  },
  invalidCiphertext: {
    connectionErrorCode: 'XKS_PROXY_INVALID_RESPONSE',
    code: 'XksProxyInvalidResponse',
    text: 'The external key store proxy rejected the request because the specified ciphertext or additional authenticated data is corrupted, missing, or otherwise invalid.',
    ...refusal,
  },
} as const satisfies Record<string, Row>

export type ProxyFailureKind = keyof typeof proxyFailures

export class ProxyFailure extends Error {
  readonly kind: ProxyFailureKind

  /** @param detail for the log of the operator, never for the caller */
  constructor(kind: ProxyFailureKind, detail: string, options?: ErrorOptions) {
    super(detail, options)
    this.name = 'ProxyFailure'
    this.kind = kind
  }

  get row(): Row {
    return proxyFailures[this.kind]
  }

  /** @param code default: that of the creation of a store */
  asFailure(code: FailureCode = this.row.code): Failure {
    return new Failure(code, this.row.text, { cause: this })
  }
}

export function invalidResponse(detail: string): ProxyFailure {
  return new ProxyFailure('invalidResponse', detail)
}
