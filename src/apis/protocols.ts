import { canonicalPath, splitTarget } from '../authentication/request-target.ts'
import type { Failure } from '../errors.ts'
import type { ApiRequest, ApiResponse } from './api.ts'
import { ec2Error, type ProtocolError, queryError, s3Error } from './protocol-errors.ts'
import { xmlText } from './xml.ts'

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
  /** XML namespace of the service, if its errors have one. */
  readonly namespace?: string | undefined
}

interface Refusal {
  readonly error: WireError
  readonly requestId: string
}

interface Protocol {
  readonly fits: (signs: Signs) => boolean
  readonly contentType: string
  /** Absent: codes and statuses of AWS JSON. */
  readonly errors?: (failure: Failure) => ProtocolError
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
  {
    fits: signs => signs.service === 'ec2' && isQuery(signs),
    contentType: 'text/xml',
    errors: ec2Error,
    body: ec2Body,
  },
  {
    fits: signs => isQuery(signs) && acceptsJson(signs.request),
    contentType: 'application/json',
    errors: queryError,
    body: queryJsonBody,
  },
  { fits: isQuery, contentType: 'text/xml', errors: queryError, body: xmlBody },
  {
    fits: ({ service }) => /^s3($|-)/.test(service),
    contentType: 'application/xml',
    errors: s3Error,
    headers: ({ requestId }) => ({ 'x-amz-request-id': requestId }),
    body: s3Body,
  },
  {
    fits: ({ type, service }) => /^(application|text)\/xml$/.test(type) || /^(cloudfront|route53)$/.test(service),
    contentType: 'text/xml',
    errors: queryError,
    body: xmlBody,
  },
  {
    fits: ({ request }) => !isRoot(request.url),
    contentType: 'application/json',
    headers: ({ error }) => ({ 'x-amzn-ErrorType': error.code }),
    body: ({ error }) => jsonError(error.code, error),
  },
  { fits: () => true, contentType: json11, body: ({ error }) => jsonError(error.code, error) },
]

function protocolOf(request: ApiRequest): Protocol {
  const signs = signsOf(request)
  return protocols.find(({ fits }) => fits(signs))!
}

function signsOf(request: ApiRequest): Signs {
  return { type: mediaType(request), service: serviceOf(request), request }
}

/** What the protocol of a request makes of a failure; undefined if it has the codes of AWS JSON. */
export function protocolError(failure: Failure, request: ApiRequest): ProtocolError | undefined {
  return protocolOf(request).errors?.(failure)
}

export function refusal(request: ApiRequest, error: WireError, requestId: string): ApiResponse {
  const { contentType, headers, body } = protocolOf(request)
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

/** Whether the path is `/`: a query is signed like the rest of the request. */
export function isRoot(url: string): boolean {
  return url === '/' || canonicalPath(splitTarget(url).path) === '/'
}

/** The service that the signature claims to be for, in lower case; empty if there is no signature. Not verified. */
export function serviceOf({ url, headers }: Pick<ApiRequest, 'url' | 'headers'>): string {
  const { authorization = url } = headers
  // Bounded, as a header may contain `Credential=` thousands of times.
  const scope = /Credential=(?:[^/%]{0,128}(?:\/|%2F)){3}([a-z0-9-]{1,64})/i.exec(String(authorization))
  return scope?.[1] ?? ''
}

export const formType = 'application/x-www-form-urlencoded'

function isQuery({ type, request }: Signs): boolean {
  return type === formType || /[?&]Action=/.test(request.url)
}

/** Whether a request is in the AWS query protocol. */
export function isQueryRequest(request: ApiRequest): boolean {
  return isQuery(signsOf(request))
}

/** Whether the caller of a query service wants JSON in place of XML, as AWS STS gives it. */
export function acceptsJson({ headers }: ApiRequest): boolean {
  return /(^|,)\s*application\/json\s*(;|,|$)/i.test(String(headers.accept ?? ''))
}

function jsonError(type: string, { code, message }: WireError): string {
  const body: Record<string, string> = { __type: type }
  // KMS writes this one member in upper case; SDKs read both.
  if (message !== '') body[code === 'AccessDeniedException' ? 'Message' : 'message'] = message
  return JSON.stringify(body)
}

function xmlBody(refused: Refusal): string {
  const { namespace } = refused.error
  const start = namespace === undefined ? '<ErrorResponse>' : `<ErrorResponse xmlns="${namespace}">`
  return `${start}${errorElement(refused)}<RequestId>${refused.requestId}</RequestId></ErrorResponse>\n`
}

function queryJsonBody({ error: { code, message, fault }, requestId }: Refusal): string {
  return JSON.stringify({ Error: { Code: code, Message: message, Type: typeOf(fault) }, RequestId: requestId })
}

function ec2Body(refused: Refusal): string {
  const errors = `<Errors>${errorElement(refused)}</Errors>`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Response>${errors}<RequestID>${refused.requestId}</RequestID></Response>\n`
}

function s3Body({ error: { code, message }, requestId }: Refusal): string {
  const members = `<Code>${code}</Code><Message>${xmlText(message)}</Message><RequestId>${requestId}</RequestId>`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${members}</Error>\n`
}

function errorElement({ error: { code, message, fault } }: Refusal): string {
  return `<Error><Type>${typeOf(fault)}</Type><Code>${code}</Code><Message>${xmlText(message)}</Message></Error>`
}

function typeOf(fault: WireError['fault']): string {
  return fault === 'caller' ? 'Sender' : 'Receiver'
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
