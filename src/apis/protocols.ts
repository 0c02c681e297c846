import { canonicalPath, splitTarget } from '../authentication/request-target.ts'
import type { Failure } from '../errors.ts'
import type { ApiRequest, ApiResponse } from './api.ts'

/**
 * The wire protocols of AWS, as needed to refuse a request in its own protocol, so that clients of other services can parse the error, too:
 * Smithy 2.0, "AWS protocols" and "Smithy protocols".
 */

/** Indications of the protocol of a request. Not to be trusted for anything else: the request may be forged. */
interface Signs {
  /** Media type in lower case, without parameters; empty if there is none. */
  readonly type: string
  /** Service in the credential scope; empty if there is no signature. */
  readonly service: string
  readonly request: ApiRequest
}

/** An error to be written. */
export interface WireError {
  readonly code: string
  /** Shape id, `namespace#Code`. */
  readonly id: string
  readonly message: string
  readonly status: number
  readonly fault: Failure['fault']
}

interface Refusal {
  readonly error: WireError
  readonly requestId: string
}

interface Protocol {
  readonly fits: (signs: Signs) => boolean
  readonly contentType: string
  readonly headers?: (refusal: Refusal) => Readonly<Record<string, string>>
  readonly body: (refusal: Refusal) => string | Uint8Array
}

export const json10 = 'application/x-amz-json-1.0'
export const json11 = 'application/x-amz-json-1.1'

/** The first match is used. */
const protocols: readonly Protocol[] = [
  {
    fits: ({ type, request }) => type === 'application/cbor' || request.headers['smithy-protocol'] === 'rpc-v2-cbor',
    contentType: 'application/cbor',
    headers: () => ({ 'smithy-protocol': 'rpc-v2-cbor' }),
    body: cborError,
  },
  {
    fits: ({ request }) => request.headers['smithy-protocol'] === 'rpc-v2-json',
    contentType: 'application/json',
    headers: () => ({ 'smithy-protocol': 'rpc-v2-json' }),
    body: ({ error }) => jsonError(error.id, error),
  },
  // Of Amazon Kinesis.
  {
    fits: ({ type }) => type === 'application/x-amz-cbor-1.1',
    contentType: 'application/x-amz-cbor-1.1',
    body: cborError,
  },
  { fits: ({ type }) => type === json10, contentType: json10, body: ({ error }) => jsonError(error.id, error) },
  {
    fits: ({ type, request }) => type === json11 || request.headers['x-amz-target'] !== undefined,
    contentType: json11,
    body: ({ error }) => jsonError(error.code, error),
  },
  { fits: signs => signs.service === 'ec2' && isQuery(signs), contentType: 'text/xml', body: ec2Error },
  { fits: isQuery, contentType: 'text/xml', body: xmlError },
  {
    fits: ({ service }) => /^s3($|-)/.test(service),
    contentType: 'application/xml',
    headers: ({ requestId }) => ({ 'x-amz-request-id': requestId }),
    body: s3Error,
  },
  {
    fits: ({ type, service }) => /^(application|text)\/xml$/.test(type) || /^(cloudfront|route53)$/.test(service),
    contentType: 'text/xml',
    body: xmlError,
  },
  {
    fits: ({ request }) => canonicalPath(splitTarget(request.url).path) !== '/',
    contentType: 'application/json',
    headers: ({ error }) => ({ 'x-amzn-ErrorType': error.code }),
    body: ({ error }) => jsonError(error.code, error),
  },
  { fits: () => true, contentType: json11, body: ({ error }) => jsonError(error.code, error) },
]

export function refusal(request: ApiRequest, error: WireError, requestId: string): ApiResponse {
  const signs = { type: mediaType(request), service: serviceOf(request), request }
  const { contentType, headers, body } = protocols.find(({ fits }) => fits(signs))!
  const refused = { error, requestId }
  return {
    status: error.status,
    headers: { ...responseHeaders(requestId, contentType), ...headers?.(refused) },
    body: body(refused),
  }
}

/** Headers of every answer. */
export function responseHeaders(requestId: string, contentType: string): Readonly<Record<string, string>> {
  return {
    'x-amzn-RequestId': requestId,
    'Content-Type': contentType,
    'Cache-Control': 'no-cache, no-store, must-revalidate, private',
    Expires: '0',
    Pragma: 'no-cache',
  }
}

/** In lower case, without parameters; empty if there is not exactly one. */
export function mediaType({ headers }: ApiRequest): string {
  const header = headers['content-type']
  if (header === json11) return header
  return typeof header === 'string' ? header.split(';', 1)[0]!.trim().toLowerCase() : ''
}

function serviceOf({ url, headers }: ApiRequest): string {
  const { authorization = url } = headers
  // Bounded, as a header may contain `Credential=` thousands of times.
  const scope = /Credential=(?:[^/%]{0,128}(?:\/|%2F)){3}([a-z0-9-]{1,64})/i.exec(String(authorization))
  return scope?.[1] ?? ''
}

function isQuery({ type, request }: Signs): boolean {
  return type === 'application/x-www-form-urlencoded' || /[?&]Action=/.test(request.url)
}

function jsonError(type: string, { code, message }: WireError): string {
  const body: Record<string, string> = { __type: type }
  // KMS writes this one member in upper case; SDKs read both.
  if (message !== '') body[code === 'AccessDeniedException' ? 'Message' : 'message'] = message
  return JSON.stringify(body)
}

function xmlError(refused: Refusal): string {
  return `<ErrorResponse>${errorElement(refused)}<RequestId>${refused.requestId}</RequestId></ErrorResponse>\n`
}

function ec2Error(refused: Refusal): string {
  const errors = `<Errors>${errorElement(refused)}</Errors>`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Response>${errors}<RequestID>${refused.requestId}</RequestID></Response>\n`
}

function s3Error({ error: { code, message }, requestId }: Refusal): string {
  const members = `<Code>${code}</Code><Message>${xmlText(message)}</Message><RequestId>${requestId}</RequestId>`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${members}</Error>\n`
}

function errorElement({ error: { code, message, fault } }: Refusal): string {
  const type = fault === 'caller' ? 'Sender' : 'Receiver'
  return `<Error><Type>${type}</Type><Code>${code}</Code><Message>${xmlText(message)}</Message></Error>`
}

/** Characters that XML 1.0 does not allow (section 2.2) are replaced. */
function xmlText(text: string): string {
  const references: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' }
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/[&<>\r]/g, character => references[character]!)
}

function cborError({ error: { id, message } }: Refusal): Uint8Array {
  const members = ['__type', id, ...(message === '' ? [] : ['message', message])]
  return Buffer.concat([Buffer.from([0xa0 + members.length / 2]), ...members.map(cborText)])
}

/** A text string (RFC 8949, section 3.1) whose length is always given in four bytes. */
function cborText(text: string): Buffer {
  const bytes = Buffer.from(text)
  const head = Buffer.from([0x7a, 0, 0, 0, 0])
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}
