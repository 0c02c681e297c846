/** The AWS KMS API: AWS JSON 1.1 or 1.0 over `POST /`. */
import { canonicalPath, splitTarget } from '../../authentication/request-target.ts'
import { Failure } from '../../errors.ts'
import type { Caller } from '../../model/identities/caller.ts'
import { lacksOfAll } from '../../model/keys/ability.ts'
import type { AnyOperation } from '../../operations/operation.ts'
import type { Api, ApiRequest, ApiResponse } from '../api.ts'
import { type OperationShapes, shapesByOperation } from '../json/shapes.ts'
import { json10, json11, mediaType, refusal, responseHeaders } from '../protocols.ts'
import { errorCode, shapeId } from './errors.ts'
import { model } from './model.ts'

const targetPrefix = `${model.metadata.targetPrefix}.`

/** Of operations that are not there because no HSM can do them. */
const reasons: Readonly<Record<string, string>> = { Encapsulate: lacksOfAll.ML_KEM, Decapsulate: lacksOfAll.ML_KEM }

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
   * @throws Failure UnknownOperation without text for whatever is not a request of this protocol: method, path,
   *   content type or target (AWS tells these apart no more than this); UnsupportedOperation for an operation that
   *   AWS KMS has and this gateway does not.
   */
  operation(request: ApiRequest): AnyOperation {
    const { method, url, headers } = request
    const target = headers['x-amz-target']
    if (method !== 'POST' || !isRoot(url) || !isJson(mediaType(request)) || typeof target !== 'string') {
      throw new Failure('UnknownOperation')
    }
    const name = target.startsWith(targetPrefix) ? target.slice(targetPrefix.length) : ''
    const operation = this.#operations.get(name)
    if (operation !== undefined) return operation
    if (!shapesByOperation.has(name)) throw new Failure('UnknownOperation')
    const reason = Object.hasOwn(reasons, name) ? `: ${reasons[name]}` : ''
    throw new Failure('UnsupportedOperation', `${name} is not supported by this gateway${reason}.`)
  }

  input(operation: AnyOperation, body: Uint8Array): Readonly<Record<string, unknown>> {
    return shapesOf(operation).input(body)
  }

  accept(operation: AnyOperation, output: object | undefined, requestId: string, request: ApiRequest): ApiResponse {
    const headers = responseHeaders(requestId, mediaType(request))
    return { status: 200, headers, body: shapesOf(operation).output(output) }
  }

  errorCode(failure: Failure): string {
    return errorCode(failure.code)
  }

  refuse({ code, message, status, fault }: Failure, requestId: string, request: ApiRequest): ApiResponse {
    const wireCode = errorCode(code)
    return refusal(request, { code: wireCode, id: shapeId(wireCode), message, status, fault }, requestId)
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

function isJson(type: string): boolean {
  return type === json11 || type === json10
}
