import type { Failure } from '../errors.ts'
import type { AnyOperation } from '../operations/operation.ts'

/** A request as it came in, independent of the HTTP server that read it. */
export interface ApiRequest {
  readonly method: string
  /** Path and query as sent, in origin-form (RFC 9112, section 3.2.1). */
  readonly url: string
  /** Names in lower case. Values as sent; those of several lines are an array, in their order. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /**
   * The raw bytes, which signatures cover: read from the connection at the first call, so that nothing is read for a request that its
   * headers show to be wrong. Rejects with a Failure when they are too long, do not come, or find no room.
   */
  body(): Promise<Uint8Array>
  readonly sourceAddress: string
  /** Whether it came over TLS. */
  readonly secure: boolean
  /** Set when the HTTP server already knows that the request must be refused, such as one that is not HTTP. */
  readonly failure?: Failure | undefined
}

export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

/** One API: what can be asked, how a request is read and an answer written. */
export interface Api {
  /** Service name in the credential scope of a signature. */
  readonly service: string
  /** Before the name of an operation, an action in policies; ends in a colon. */
  readonly actionPrefix: string
  /** CloudTrail's eventSource, the domain name of the service. */
  readonly eventSource: string
  /** Whether a request says that it is for this API. */
  claims(request: ApiRequest): boolean
  operation(request: ApiRequest): AnyOperation
  /** Decoded and validated input of the operation. */
  input(operation: AnyOperation, body: Uint8Array): Readonly<Record<string, unknown>>
  accept(operation: AnyOperation, output: object | undefined, requestId: string, request: ApiRequest): ApiResponse
  /** The code by which callers, audit records and metrics know a failure. */
  errorCode(failure: Failure): string
  refuse(failure: Failure, requestId: string, request: ApiRequest): ApiResponse
}
