/** An AWS API with AWS JSON 1.1 and 1.0 over `POST /`: Smithy 2.0, "AWS JSON 1.1 protocol". */
import { canonicalPath, splitTarget } from '../../authentication/request-target.ts'
import { Failure, type FailureCode } from '../../errors.ts'
import type { AnyOperation, PolicySubject } from '../../operations/operation.ts'
import type { Api, ApiRequest, ApiResponse } from '../api.ts'
import { json10, json11, mediaType, refusal, responseHeaders } from '../protocols.ts'
import type { Model } from './model.ts'
import { type OperationShapes, operationShapes } from './shapes.ts'

export interface JsonService extends Pick<Api, 'service' | 'actionPrefix' | 'eventSource' | 'policySubject'> {
  readonly model: Model
  /** Of the shape ids of its errors. */
  readonly namespace: string
  /** Supported operations. */
  readonly operations: readonly AnyOperation[]
  /** Reasons for unsupported operations, if any. */
  readonly whyUnsupported?: Readonly<Record<string, string>>
  /** Error codes that differ from the common ones. */
  readonly errorCodes?: Partial<Record<FailureCode, string>>
}

/** Error codes of all services, where they are not the gateway's code followed by `Exception`. */
const commonErrorCodes: Partial<Record<FailureCode, string>> = {
  InvalidRequestSignature: 'InvalidSignatureException',
  // Amazon S3's name: the other services have none.
  RequestHeaderSectionTooLarge: 'RequestHeaderSectionTooLarge',
}

export class JsonApi implements Api {
  readonly service: string
  readonly actionPrefix: string
  readonly eventSource: string
  readonly policySubject: PolicySubject | undefined
  readonly #service: JsonService
  readonly #targetPrefix: string
  readonly #operations: ReadonlyMap<string, AnyOperation>
  /** Of every operation of the model, by its name. */
  readonly #shapes: ReadonlyMap<string, OperationShapes>
  readonly #modelledErrors: ReadonlySet<string>

  constructor(service: JsonService) {
    this.service = service.service
    this.actionPrefix = service.actionPrefix
    this.eventSource = service.eventSource
    this.policySubject = service.policySubject
    this.#service = service
    const { model, operations } = service
    this.#targetPrefix = `${model.metadata.targetPrefix}.`
    this.#operations = new Map(operations.map(operation => [operation.name, operation]))
    this.#shapes = operationShapes(model)
    this.#modelledErrors = new Set(Object.values(model.operations).flatMap(({ errors }) => errors ?? []))
  }

  claims({ headers }: ApiRequest): boolean {
    const target = headers['x-amz-target']
    return typeof target === 'string' && target.startsWith(this.#targetPrefix)
  }

  /**
   * @throws Failure UnknownOperation without text for anything but a request of this protocol: method, path, content type or target (AWS
   * does not distinguish these either); UnsupportedOperation for an unsupported operation of the model.
   */
  operation(request: ApiRequest): AnyOperation {
    const { method, url, headers } = request
    const target = headers['x-amz-target']
    if (method !== 'POST' || !isRoot(url) || !isJson(mediaType(request)) || typeof target !== 'string') {
      throw new Failure('UnknownOperation')
    }
    const name = target.startsWith(this.#targetPrefix) ? target.slice(this.#targetPrefix.length) : ''
    const operation = this.#operations.get(name)
    if (operation !== undefined) return operation
    if (!this.#shapes.has(name)) throw new Failure('UnknownOperation')
    const { whyUnsupported = {} } = this.#service
    const reason = Object.hasOwn(whyUnsupported, name) ? `: ${whyUnsupported[name]}` : ''
    throw new Failure('UnsupportedOperation', `${name} is not supported by this gateway${reason}.`)
  }

  recorded(operation: AnyOperation, part: 'input' | 'output', member: string, value: unknown): unknown {
    const record = this.#shapesOf(operation).recorders[part][member]
    return record === undefined ? value : record(value)
  }

  input(operation: AnyOperation, body: Uint8Array): Readonly<Record<string, unknown>> {
    return this.#shapesOf(operation).input(body)
  }

  accept(operation: AnyOperation, output: object | undefined, requestId: string, request: ApiRequest): ApiResponse {
    const headers = responseHeaders(requestId, mediaType(request))
    return { status: 200, headers, body: this.#shapesOf(operation).output(output) }
  }

  errorCode({ code }: Failure): string {
    return this.#service.errorCodes?.[code] ?? commonErrorCodes[code] ?? `${code}Exception`
  }

  refuse(failure: Failure, requestId: string, request: ApiRequest): ApiResponse {
    const { message, status, fault } = failure
    const code = this.errorCode(failure)
    return refusal(request, { code, id: this.#shapeId(code), message, status, fault }, requestId)
  }

  #shapesOf({ name }: AnyOperation): OperationShapes {
    const shapes = this.#shapes.get(name)
    if (shapes === undefined) throw new Error(`the model of ${this.service} has no operation ${name}`)
    return shapes
  }

  /** With the namespace that AWS adds in JSON 1.0; clients ignore it. */
  #shapeId(code: string): string {
    if (this.#modelledErrors.has(code)) return `${this.#service.namespace}#${code}`
    return `com.amazon.coral.${code === 'ValidationException' ? 'validate' : 'service'}#${code}`
  }
}

/** A query is signed like the rest of the request but ignored. */
function isRoot(url: string): boolean {
  return url === '/' || canonicalPath(splitTarget(url).path) === '/'
}

function isJson(type: string): boolean {
  return type === json11 || type === json10
}
