import { randomUUID } from 'node:crypto'
import type { ApiRequest, ApiResponse } from '../apis/api.ts'

/**
 * CORS (Fetch Standard, section 3.2 "CORS protocol"), as on AWS KMS: every page may call, and no cookie or other credential of the browser
 * is requested. Private networks are not opened to public pages: Access-Control-Request-Private-Network is not answered.
 */

const shared = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date',
}

/** The answer to a preflight request, which is not an API call: it has no signature, no effect, and is not audited. */
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
      // Seconds. Browsers have their own limits.
      'Access-Control-Max-Age': '172800',
      'Cache-Control': 'no-cache, no-store, must-revalidate, private',
      Expires: '0',
      Pragma: 'no-cache',
    },
    body: '',
  }
}

/** Makes an answer of the API readable by pages of other origins. Answers to probes are not. */
export function readable({ headers }: ApiRequest, response: ApiResponse): ApiResponse {
  return headers.origin === undefined ? response : { ...response, headers: { ...response.headers, ...shared } }
}
