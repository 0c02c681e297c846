import type { TlsDetails } from '../audit/entry.ts'
import type { PeerCertificate } from '../authentication/xks-callers.ts'
import type { Failure } from '../errors.ts'
import type { AnyOperation, PolicySubject } from '../operations/operation.ts'

/** A received request, independent of the HTTP server. */
export interface ApiRequest {
  readonly method: string
  /** Path and query as sent, in origin-form (RFC 9112, section 3.2.1). */
  readonly url: string
  /** Names in lower case. Values as sent; an array for several lines. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /**
   * The raw bytes, which signatures cover: read from the connection at the first call, so that nothing is read for a request with invalid
   * headers. Rejects with a Failure if they are too long, do not arrive, or exceed the memory budget.
   */
  body(): Promise<Uint8Array>
  readonly sourceAddress: string
  /** Whether it came over TLS. */
  readonly secure: boolean
  /** If it came over TLS: as CloudTrail's tlsDetails has them. */
  readonly tls?: TlsDetails | undefined
  /** That the client has proved to have, if it came over TLS and was asked for one. */
  readonly clientCertificate?: PeerCertificate | undefined
  /** When its sender gives up waiting, in milliseconds of the monotonic clock: HSM calls end by then. */
  readonly answerBy?: number | undefined
  /** Set if the HTTP server requires the request to be refused, for example if it is not HTTP. */
  readonly failure?: Failure | undefined
}

/** All lines of a header as one. */
export function headerOf({ headers }: ApiRequest, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

/** An API: its operations, and how requests are parsed and answers written. */
export interface Api {
  /** Service name in the credential scope of a signature. */
  readonly service: string
  /** Region that signatures may name even if it has no HSM: that of a global endpoint. */
  readonly globalRegion?: string | undefined
  /** Whether some operations need no signature. */
  readonly hasUnsignedOperations?: boolean | undefined
  /** Prefix of actions in policies; ends with a colon. */
  readonly actionPrefix: string
  /** CloudTrail's eventSource, the domain name of the service. */
  readonly eventSource: string
  /** Absent if policies have nothing to say about it. */
  readonly policySubject?: PolicySubject | undefined
  /** Whether a request is for this API. */
  claims(request: ApiRequest): boolean
  /** Without a promise unless the body names the operation. */
  operation(request: ApiRequest): AnyOperation | Promise<AnyOperation>
  /** Decoded and validated input of the operation. */
  input(operation: AnyOperation, body: Uint8Array, request: ApiRequest): Readonly<Record<string, unknown>>
  accept(operation: AnyOperation, output: object | undefined, requestId: string, request: ApiRequest): ApiResponse
  /** A member of an input or output as it is in audit records. Default: as it is. */
  recorded?(operation: AnyOperation, part: 'input' | 'output', member: string, value: unknown): unknown
  /** The error code of a failure for callers, audit records and metrics. */
  errorCode(failure: Failure, request: ApiRequest): string
  refuse(failure: Failure, requestId: string, request: ApiRequest): ApiResponse
}
