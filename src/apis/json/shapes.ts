/** AWS JSON 1.1 for every operation of the model: body to input, output to body. */
import { type Model, type Shapes, shapesIn } from '../service-model/model.ts'
import type { ModelledOperation } from '../service-model/modelled-api.ts'
import { inputReader } from '../service-model/read.ts'
import { recordersOf } from '../service-model/record.ts'
import { writerOf } from './encode.ts'
import { parseJson } from './parse.ts'

export interface OperationShapes extends ModelledOperation {
  /**
   * Decodes and validates a request body; an empty one counts as `{}`.
   * @throws Failure Serialization or Validation
   */
  input(body: Uint8Array): Readonly<Record<string, unknown>>
  /** Encodes an output; empty for operations without an output. */
  output(value: object | undefined): string
}

/** By the name of the operation. */
export function operationShapes(model: Model): ReadonlyMap<string, OperationShapes> {
  const shapes = shapesIn(model)
  return new Map(
    Object.entries(model.operations).map(([name, { input, output }]) => {
      const read = inputReader(input, shapes)
      return [
        name,
        {
          input: (body: Uint8Array) => read(body.length === 0 ? {} : parseJson(body)),
          output: outputEncoder(output, shapes),
          recorders: recordersOf({ input, output }, shapes),
        },
      ]
    }),
  )
}

function outputEncoder(shape: string | null, shapes: Shapes): OperationShapes['output'] {
  if (shape === null) return () => ''
  const write = writerOf(shape, shapes)
  return value => JSON.stringify(write((value ?? {}) as never))
}
