/** An AWS API with the AWS query protocol over `/`, by POST or GET: Smithy 2.0, "AWS query protocol". */
import { splitTarget } from '../../authentication/request-target.ts'
import { Failure } from '../../errors.ts'
import type { AnyOperation } from '../../operations/operation.ts'
import type { ApiRequest, ApiResponse } from '../api.ts'
import { writerOf } from '../json/encode.ts'
import {
  acceptsJson,
  formType,
  isQueryRequest,
  isRoot,
  mediaType,
  protocolError,
  refusal,
  responseHeaders,
  serviceOf,
} from '../protocols.ts'
import { type Model, type Shapes, shapesIn } from '../service-model/model.ts'
import { ModelledApi, type ModelledOperation, type ModelledService } from '../service-model/modelled-api.ts'
import { type InputReader, inputReader } from '../service-model/read.ts'
import { recordersOf } from '../service-model/record.ts'
import { rawValue } from './decode.ts'
import { elementWriter } from './encode.ts'
import { type Parameter, parseParameters } from './parameters.ts'

interface OperationShapes extends ModelledOperation {
  readonly input: (parameters: Parameter) => Readonly<Record<string, unknown>>
  /** The content of the answer, without its metadata. */
  readonly xml: (output: object) => string
  readonly json: (output: object) => unknown
}

const nothing = new Uint8Array()

export class QueryApi extends ModelledApi<OperationShapes> {
  readonly #version: string
  readonly #namespace: string
  /** Of requests in progress. */
  readonly #parsed = new WeakMap<ApiRequest, Parameter>()

  constructor(service: ModelledService) {
    const { model } = service
    super(service, operationShapes(model))
    this.#version = model.metadata.apiVersion
    this.#namespace = model.metadata.xmlNamespace!
  }

  /** Requests for this service by their signature, and those without one in this protocol. */
  claims(request: ApiRequest): boolean {
    const service = serviceOf(request)
    return service === this.service || (service === '' && isQueryRequest(request))
  }

  /** @throws Failure UnknownOperation for anything but an operation of this version; Serialization if the parameters cannot be read */
  async operation(request: ApiRequest): Promise<AnyOperation> {
    const { method, url } = request
    if (!isRoot(url) || !isQueryRequest(request) || !['POST', 'GET'].includes(method))
      throw new Failure('UnknownOperation')
    const { query } = splitTarget(url)
    const isForm = method === 'POST' && mediaType(request) === formType
    const parameters = parseParameters(query, isForm ? await request.body() : nothing)
    this.#parsed.set(request, parameters)
    const { members } = parameters
    const name = members.get('Action')?.value
    if (!name) throw new Failure('UnknownOperation', 'The request names no Action.')
    const version = members.get('Version')?.value ?? 'NO_VERSION_SPECIFIED'
    const unknown = `Could not find operation ${name.slice(0, 100)} for version ${version.slice(0, 100)}`
    if (version !== this.#version) throw new Failure('UnknownOperation', unknown)
    return this.named(name, unknown)
  }

  input(operation: AnyOperation, _body: Uint8Array, request: ApiRequest): Readonly<Record<string, unknown>> {
    return this.modelled(operation).input(this.#parsed.get(request)!)
  }

  /** In JSON for those who ask for it, as AWS STS does. */
  accept(operation: AnyOperation, output: object = {}, requestId: string, request: ApiRequest): ApiResponse {
    const { name } = operation
    const { xml, json } = this.modelled(operation)
    if (acceptsJson(request)) {
      const response = { [`${name}Result`]: json(output), ResponseMetadata: { RequestId: requestId } }
      const body = JSON.stringify({ [`${name}Response`]: response })
      return { status: 200, headers: responseHeaders(requestId, 'application/json'), body }
    }
    const result = `<${name}Result>${xml(output)}</${name}Result>`
    const metadata = `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`
    const body = `<${name}Response xmlns="${this.#namespace}">${result}${metadata}</${name}Response>\n`
    return { status: 200, headers: responseHeaders(requestId, 'text/xml'), body }
  }

  errorCode(failure: Failure, request: ApiRequest): string {
    return protocolError(failure, request)?.code ?? `${failure.code}Exception`
  }

  refuse(failure: Failure, requestId: string, request: ApiRequest): ApiResponse {
    const { status, message = failure.message } = protocolError(failure, request) ?? failure
    const code = this.errorCode(failure, request)
    const error = { code, id: code, message, status, fault: failure.fault, namespace: this.#namespace }
    return refusal(request, error, requestId)
  }
}

function operationShapes(model: Model): ReadonlyMap<string, OperationShapes> {
  const shapes = shapesIn(model)
  return new Map(
    Object.entries(model.operations).map(([name, { input, output }]) => [
      name,
      {
        input: decoder(input, inputReader(input, shapes), shapes),
        xml: elementWriter(output!, shapes) as OperationShapes['xml'],
        json: writerOf(output!, shapes) as OperationShapes['json'],
        recorders: recordersOf({ input, output }, shapes),
      },
    ]),
  )
}

function decoder(name: string, read: InputReader, shapes: Shapes): OperationShapes['input'] {
  const shape = shapes(name)
  return parameters => read(rawValue(shape, parameters, '', shapes))
}
