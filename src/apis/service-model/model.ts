/** A service model: operations and the shapes of their inputs and outputs, as published by botocore. */

/** Size limits: characters of a string, bytes of a blob, members of a list, the value of an integer. Inclusive. */
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
  /** Another shape that a value may have, and how it is told by its members. */
  readonly variant?: Variant
}

export interface Variant {
  readonly shape: string
  readonly is: (value: Readonly<Record<string, unknown>>) => boolean
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
  /** Throws Validation beyond a limit of the whole map. */
  readonly checkLimit?: (map: Readonly<Record<string, string | null>>) => void
}

export interface ScalarShape extends Limits {
  readonly type: 'string' | 'blob' | 'integer' | 'boolean' | 'timestamp'
  /** Regular expression in Java's syntax. */
  readonly pattern?: string
  readonly enum?: readonly string[]
  /** The values in the order of messages, if that is not the order of `enum`. */
  readonly listed?: readonly string[]
  /** Values that are accepted but not listed. */
  readonly unlisted?: readonly string[]
}

export type Shape = StructureShape | ListShape | MapShape | ScalarShape

interface OperationShape {
  readonly input: string
  readonly output: string | null
  readonly errors?: readonly string[]
}

/** @typeParam N names of the operations */
export interface Model<N extends string = string> {
  readonly metadata: {
    readonly apiVersion: string
    /** Of AWS JSON. */
    readonly targetPrefix?: string
    /** Of the AWS query protocol. */
    readonly xmlNamespace?: string
  }
  readonly operations: Readonly<Record<N, OperationShape>>
  readonly shapes: Readonly<Record<string, Shape>>
}

/** Looks up a shape by its name. */
export type Shapes = (name: string) => Shape

export function shapesIn(model: Model): Shapes {
  return name => {
    const shape = model.shapes[name]
    if (shape === undefined) throw new Error(`the model has no shape ${name}`)
    return shape
  }
}
