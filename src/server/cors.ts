import { randomUUID } from 'node:crypto'
import type { ApiRequest, ApiResponse } from '../apis/api.ts'

/**
 * Calls from pages of other origins (Fetch Standard, section 3.2 "CORS protocol"), in the words of AWS KMS: every page may call,
 * and no cookie or other credential of the browser's own is asked for. Private networks are not opened to public pages:
 * Access-Control-Request-Private-Network is not answered.
 */

const shared = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date',
}

/** The answer to a preflight request. That is no API call: it has no signature, does nothing, and is not put on record. */
export function preflight({ method, headers, failure }: ApiRequest): ApiResponse | undefined {
  if (method !== 'OPTIONS' || headers.origin === undefined || failure) return undefined
  const asked = (name: string) => [headers[name] ?? []].flat().join(',')
  const [methods, names] = [asked('access-control-request-method'), asked('access-control-request-headers')]
  return {
    status: 200,
    headers: {
      'x-amzn-RequestId': randomUUID(),
      ...shared,
      ...(methods && { 'Access-Control-Allow-Methods': methods }),
      ...(names && { 'Access-Control-Allow-Headers': names }),
      // Seconds. Browsers have limits of their own.
      'Access-Control-Max-Age': '172800',
      'Cache-Control': 'no-cache, no-store, must-revalidate, private',
      Expires: '0',
      Pragma: 'no-cache',
    },
    body: '',
  }
}

/** An answer of the API as a page of another origin may read it. The probes' answers are not for pages. */
export function readable({ headers }: ApiRequest, response: ApiResponse): ApiResponse {
  return headers.origin === undefined ? response : { ...response, headers: { ...response.headers, ...shared } }
}
