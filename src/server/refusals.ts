import { Failure } from '../errors.ts'

/** Failures of requests that cannot be read: codes of AWS's "Common Errors". */

export function bodyTooLarge(): Failure {
  return new Failure('RequestEntityTooLarge', 'The request body is too large.')
}

export function headersTooLarge(cause?: unknown): Failure {
  return new Failure('RequestHeaderSectionTooLarge', 'The request header section is too large.', { cause })
}

export function malformed(message: string, cause?: unknown): Failure {
  return new Failure('MalformedHttpRequest', message, { cause })
}

export function aborted(cause?: unknown): Failure {
  return new Failure('RequestAborted', 'The connection was closed before the request was complete.', { cause })
}

/** The failure of a request that Node.js's parser or one of its timers aborted. */
export function failureOfParser(error: NodeJS.ErrnoException): Failure {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return headersTooLarge(error)
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Failure('RequestTimeout', 'The request did not arrive in time.', { cause: error })
    case 'ECONNRESET':
    case 'EPIPE':
      return aborted(error)
    default:
      return malformed('The request is not valid HTTP/1.1.', error)
  }
}
