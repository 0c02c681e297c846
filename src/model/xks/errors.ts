/** How an XKS proxy refuses a request: XKS Proxy API Specification 1.0.3, "Error codes". */

interface XksError {
  readonly status: number
  /** Whether the same request may succeed when it is sent again. */
  readonly retryable: boolean
}

/** By errorName. */
export const xksErrors = {
  ValidationException: { status: 400, retryable: false },
  InvalidStateException: { status: 400, retryable: false },
  InvalidCiphertextException: { status: 400, retryable: false },
  InvalidKeyUsageException: { status: 400, retryable: false },
  AuthenticationFailedException: { status: 401, retryable: false },
  AccessDeniedException: { status: 403, retryable: false },
  KeyNotFoundException: { status: 404, retryable: false },
  InvalidUriPathException: { status: 404, retryable: false },
  ThrottlingException: { status: 429, retryable: true },
  InternalException: { status: 500, retryable: true },
  UnsupportedOperationException: { status: 501, retryable: false },
  DependencyTimeoutException: { status: 503, retryable: true },
} as const satisfies Record<string, XksError>

export type XksErrorName = keyof typeof xksErrors

export function isXksErrorName(text: string): text is XksErrorName {
  return Object.hasOwn(xksErrors, text)
}

/** A text as it may be sent in errorMessage: fewer than 512 characters of printable ASCII. Others become question marks. */
export function xksErrorMessage(text: string): string {
  return text.slice(0, 511).replace(/[^\x20-\x7e]/g, '?')
}
