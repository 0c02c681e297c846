import type { Failure } from '../errors.ts'
import type { Caller } from '../model/caller.ts'
import type { AnyOperation } from '../operations/operation.ts'

/** A request as it came in, independent of the HTTP server that read it. */
export interface ApiRequest {
  readonly method: string
  /** Path and query as sent. */
  readonly url: string
  /** Names in lower case, as Node.js gives them. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The raw bytes: signatures cover these. */
  readonly body: Uint8Array
  readonly sourceAddress: string
  /** Set when the HTTP server already knows that the request must be refused, such as a body over the limit. */
  readonly failure?: Failure | undefined
}

export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** One wire protocol: how a request is read and an answer written. */
export interface Api {
  /** Rejects with a Failure when the caller cannot be identified. */
  authenticate(request: ApiRequest): Promise<Caller>
  operation(request: ApiRequest): AnyOperation
  /** Decoded and validated input of the operation. */
  input(operation: AnyOperation, request: ApiRequest): Readonly<Record<string, unknown>>
  accept(operation: AnyOperation, output: object | undefined, requestId: string): ApiResponse
  refuse(failure: Failure, requestId: string): ApiResponse
}
