/** The AWS KMS API: AWS JSON 1.1 over `POST /`. */
import { canonicalPath, splitTarget } from '../../authentication/request-target.ts'
import { Failure } from '../../errors.ts'
import type { Caller } from '../../model/caller.ts'
import type { AnyOperation } from '../../operations/operation.ts'
import type { Api, ApiRequest, ApiResponse } from '../api.ts'
import { model } from './model.ts'
import { type OperationShapes, shapesByOperation } from './shapes.ts'

const contentType = 'application/x-amz-json-1.1'
const targetPrefix = `${model.metadata.targetPrefix}.`

export interface KmsApiOptions {
  /** Rejects with a Failure when the caller cannot be identified. */
  readonly authenticate: (request: ApiRequest) => Promise<Caller>
  /** What this gateway supports, by wire name. */
  readonly operations: ReadonlyMap<string, AnyOperation>
}

export class KmsApi implements Api {
  readonly #authenticate: KmsApiOptions['authenticate']
  readonly #operations: KmsApiOptions['operations']

  constructor({ authenticate, operations }: KmsApiOptions) {
    this.#authenticate = authenticate
    this.#operations = operations
  }

  authenticate(request: ApiRequest): Promise<Caller> {
    return this.#authenticate(request)
  }

  /**
   * @throws Failure UnknownOperationException without text for whatever is not a request of this protocol: method, path,
   *   content type or target (AWS tells these apart no more than this); UnsupportedOperationException for an operation that
   *   AWS KMS has and this gateway does not.
   */
  operation({ method, url, headers }: ApiRequest): AnyOperation {
    const target = headers['x-amz-target']
    if (method !== 'POST' || !isRoot(url) || !isJson(headers['content-type']) || typeof target !== 'string') {
      throw new Failure('UnknownOperationException')
    }
    const name = target.startsWith(targetPrefix) ? target.slice(targetPrefix.length) : ''
    const operation = this.#operations.get(name)
    if (operation !== undefined) return operation
    if (!shapesByOperation.has(name)) throw new Failure('UnknownOperationException')
    throw new Failure('UnsupportedOperationException', `${name} is not supported by this gateway.`)
  }

  input(operation: AnyOperation, body: Uint8Array): Readonly<Record<string, unknown>> {
    return shapesOf(operation).input(body)
  }

  accept(operation: AnyOperation, output: object | undefined, requestId: string): ApiResponse {
    return { status: 200, headers: responseHeaders(requestId), body: shapesOf(operation).output(output) }
  }

  /** The code goes into the body alone, as `__type`: AWS JSON 1.1 has no `x-amzn-ErrorType` header. */
  refuse(failure: Failure, requestId: string): ApiResponse {
    const body: Record<string, string> = { __type: failure.code }
    // KMS writes this one member in upper case; SDKs read both.
    if (failure.message !== '') body[failure.code === 'AccessDeniedException' ? 'Message' : 'message'] = failure.message
    return { status: failure.status, headers: responseHeaders(requestId), body: JSON.stringify(body) }
  }
}

function shapesOf(operation: AnyOperation): OperationShapes {
  const shapes = shapesByOperation.get(operation.name)
  if (shapes === undefined) throw new Error(`${operation.name} is no operation of AWS KMS`)
  return shapes
}

/** A query is signed like the rest of the request but means nothing here. */
function isRoot(url: string): boolean {
  return url === '/' || canonicalPath(splitTarget(url).path) === '/'
}

function isJson(header: string | string[] | undefined): boolean {
  if (header === contentType) return true
  return typeof header === 'string' && header.split(';', 1)[0]!.trim().toLowerCase() === contentType
}

function responseHeaders(requestId: string): Readonly<Record<string, string>> {
  return {
    'x-amzn-RequestId': requestId,
    'Content-Type': contentType,
    'Cache-Control': 'no-cache, no-store, must-revalidate, private',
    Expires: '0',
    Pragma: 'no-cache',
  }
}
