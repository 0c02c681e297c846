/** The service model of AWS KMS (botocore, 2014-11-01) as typed data. */
import type { OperationName } from '../../operations/kms/operation.ts'
import json from './model.json' with { type: 'json' }

/** Size limits: characters of a string, bytes of a blob, members of a list, the value of an integer. Both ends are allowed. */
interface Limits {
  readonly min?: number
  readonly max?: number
  /** The value never appears in a message. */
  readonly sensitive?: boolean
}

export interface Reference {
  readonly shape: string
}

export interface StructureShape {
  readonly type: 'structure'
  readonly members: Readonly<Record<string, Reference>>
  readonly required?: readonly string[]
  readonly sensitive?: boolean
}

export interface ListShape extends Limits {
  readonly type: 'list'
  readonly member: Reference
}

export interface MapShape {
  readonly type: 'map'
  readonly key: Reference
  readonly value: Reference
  readonly sensitive?: boolean
}

export interface ScalarShape extends Limits {
  readonly type: 'string' | 'blob' | 'integer' | 'boolean' | 'timestamp'
  /** Regular expression in Java's syntax. */
  readonly pattern?: string
  readonly enum?: readonly string[]
}

export type Shape = StructureShape | ListShape | MapShape | ScalarShape

interface OperationShape {
  readonly input: string
  readonly output: string | null
  readonly errors?: readonly string[]
}

export interface Model {
  readonly metadata: { readonly targetPrefix: string }
  readonly operations: Readonly<Record<OperationName, OperationShape>>
  readonly shapes: Readonly<Record<string, Shape>>
}

export const model = json as unknown as Model

/** Every operation of AWS KMS, whether this gateway supports it or not. */
export const operationNames = Object.keys(model.operations) as readonly OperationName[]

export function shapeNamed(name: string): Shape {
  const shape = model.shapes[name]
  if (shape === undefined) throw new Error(`model.json has no shape ${name}`)
  return shape
}
