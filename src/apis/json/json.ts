/** An AWS API with AWS JSON 1.1 and 1.0 over `POST /`: Smithy 2.0, "AWS JSON 1.1 protocol". */
import { Failure, type FailureCode } from '../../errors.ts'
import type { AnyOperation } from '../../operations/operation.ts'
import type { ApiRequest, ApiResponse } from '../api.ts'
import { isRoot, json10, json11, mediaType, protocolError, refusal, responseHeaders } from '../protocols.ts'
import { ModelledApi, type ModelledService } from '../service-model/modelled-api.ts'
import { type OperationShapes, operationShapes } from './shapes.ts'

export interface JsonService extends ModelledService {
  /** Of the shape ids of its errors. */
  readonly namespace: string
  /** Error codes that differ from the common ones. */
  readonly errorCodes?: Partial<Record<FailureCode, string>>
}

/** Error codes of all services, where they are not the gateway's code followed by `Exception`. */
const commonErrorCodes: Partial<Record<FailureCode, string>> = {
  InvalidRequestSignature: 'InvalidSignatureException',
  // Amazon S3's name: the other services have none.
  RequestHeaderSectionTooLarge: 'RequestHeaderSectionTooLarge',
}

export class JsonApi extends ModelledApi<OperationShapes> {
  readonly #service: JsonService
  /** In targets, before the name of the operation. Some SDKs leave out the namespace of the service, if it has one. */
  readonly #names: readonly string[]
  readonly #modelledErrors: ReadonlySet<string>

  constructor(service: JsonService) {
    const { model } = service
    super(service, operationShapes(model))
    this.#service = service
    const name = model.metadata.targetPrefix!
    this.#names = [name, name.slice(name.lastIndexOf('.') + 1)]
    this.#modelledErrors = new Set(Object.values(model.operations).flatMap(({ errors }) => errors ?? []))
  }

  claims({ headers }: ApiRequest): boolean {
    const target = headers['x-amz-target']
    return typeof target === 'string' && this.#operationIn(target) !== undefined
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
    return this.named(this.#operationIn(target) ?? '')
  }

  input(operation: AnyOperation, body: Uint8Array): Readonly<Record<string, unknown>> {
    return this.modelled(operation).input(body)
  }

  accept(operation: AnyOperation, output: object | undefined, requestId: string, request: ApiRequest): ApiResponse {
    const headers = responseHeaders(requestId, mediaType(request))
    return { status: 200, headers, body: this.modelled(operation).output(output) }
  }

  errorCode(failure: Failure, request: ApiRequest): string {
    const { code } = failure
    return (
      protocolError(failure, request)?.code ??
      this.#service.errorCodes?.[code] ??
      commonErrorCodes[code] ??
      `${code}Exception`
    )
  }

  refuse(failure: Failure, requestId: string, request: ApiRequest): ApiResponse {
    const { status, message = failure.message } = protocolError(failure, request) ?? failure
    const { fault } = failure
    const code = this.errorCode(failure, request)
    return refusal(request, { code, id: this.#shapeId(code), message, status, fault }, requestId)
  }

  #operationIn(target: string): string | undefined {
    const dot = target.lastIndexOf('.')
    return this.#names.includes(target.slice(0, Math.max(0, dot))) ? target.slice(dot + 1) : undefined
  }

  /** With the namespace that AWS adds in JSON 1.0; clients ignore it. */
  #shapeId(code: string): string {
    if (this.#modelledErrors.has(code)) return `${this.#service.namespace}#${code}`
    return `com.amazon.coral.${code === 'ValidationException' ? 'validate' : 'service'}#${code}`
  }
}

function isJson(type: string): boolean {
  return type === json11 || type === json10
}
