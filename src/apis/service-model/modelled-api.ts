/** What APIs with a service model have in common, whatever their protocol. */
import { Failure } from '../../errors.ts'
import type { AnyOperation, PolicySubject } from '../../operations/operation.ts'
import type { Api, ApiRequest, ApiResponse } from '../api.ts'
import type { Model } from './model.ts'
import type { OperationRecorders } from './record.ts'

type Described = 'service' | 'actionPrefix' | 'eventSource' | 'policySubject' | 'globalRegion'

export interface ModelledService extends Pick<Api, Described> {
  readonly model: Model
  /** Supported operations. */
  readonly operations: readonly AnyOperation[]
  /** Reasons for unsupported operations, if any; those of operations that the model leaves out. */
  readonly whyUnsupported?: Readonly<Record<string, string>>
}

/** An operation of the model, supported or not. */
export interface ModelledOperation {
  readonly recorders: OperationRecorders
}

/** @typeParam O what a protocol knows of each operation of the model */
export abstract class ModelledApi<O extends ModelledOperation> implements Api {
  readonly service: string
  readonly actionPrefix: string
  readonly eventSource: string
  readonly policySubject: PolicySubject | undefined
  readonly globalRegion: string | undefined
  readonly hasUnsignedOperations: boolean
  readonly #service: ModelledService
  readonly #operations: ReadonlyMap<string, AnyOperation>
  readonly #modelled: ReadonlyMap<string, O>

  /** @param modelled by the name of the operation */
  constructor(service: ModelledService, modelled: ReadonlyMap<string, O>) {
    this.service = service.service
    this.actionPrefix = service.actionPrefix
    this.eventSource = service.eventSource
    this.policySubject = service.policySubject
    this.globalRegion = service.globalRegion
    this.hasUnsignedOperations = service.operations.some(({ identify }) => identify !== undefined)
    this.#service = service
    this.#operations = new Map(service.operations.map(operation => [operation.name, operation]))
    this.#modelled = modelled
  }

  /** @throws Failure UnsupportedOperation for an unsupported operation of the model; UnknownOperation with this message for any other name */
  protected named(name: string, unknown?: string): AnyOperation {
    const operation = this.#operations.get(name)
    if (operation !== undefined) return operation
    const { whyUnsupported = {} } = this.#service
    const hasReason = Object.hasOwn(whyUnsupported, name)
    if (!this.#modelled.has(name) && !hasReason) throw new Failure('UnknownOperation', unknown)
    const reason = hasReason ? `: ${whyUnsupported[name]}` : ''
    throw new Failure('UnsupportedOperation', `${name} is not supported by this gateway${reason}.`)
  }

  protected modelled({ name }: AnyOperation): O {
    const modelled = this.#modelled.get(name)
    if (modelled === undefined) throw new Error(`the model of ${this.service} has no operation ${name}`)
    return modelled
  }

  recorded(operation: AnyOperation, part: 'input' | 'output', member: string, value: unknown): unknown {
    const record = this.modelled(operation).recorders[part][member]
    return record === undefined ? value : record(value)
  }

  abstract claims(request: ApiRequest): boolean
  abstract operation(request: ApiRequest): AnyOperation | Promise<AnyOperation>
  abstract input(operation: AnyOperation, body: Uint8Array, request: ApiRequest): Readonly<Record<string, unknown>>
  abstract accept(
    operation: AnyOperation,
    output: object | undefined,
    requestId: string,
    request: ApiRequest,
  ): ApiResponse
  abstract errorCode(failure: Failure, request: ApiRequest): string
  abstract refuse(failure: Failure, requestId: string, request: ApiRequest): ApiResponse
}
