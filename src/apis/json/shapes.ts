/** AWS JSON 1.1 for every operation of the model: body to input, output to body. */
import { wipe } from '../../wipe.ts'
import { readerOf } from './decode.ts'
import { writerOf } from './encode.ts'
import { type Model, type Shapes, shapesIn } from './model.ts'
import { parseJson } from './parse.ts'
import { type Recorders, recordersOf } from './record.ts'
import { Violations } from './violations.ts'

export interface OperationShapes {
  /**
   * Decodes and validates a request body; an empty one counts as `{}`. Blobs become Uint8Array, timestamps Date, maps have no prototype.
   * Unknown members are ignored, null members are absent.
   * @throws Failure Serialization or Validation
   */
  input(body: Uint8Array): Readonly<Record<string, unknown>>
  /** Encodes an output; empty for operations without an output. */
  output(value: object | undefined): string
  /** Of members of input and output, in audit records. */
  readonly recorders: { readonly input: Recorders; readonly output: Recorders }
}

/** By the name of the operation. */
export function operationShapes(model: Model): ReadonlyMap<string, OperationShapes> {
  const shapes = shapesIn(model)
  return new Map(
    Object.entries(model.operations).map(([name, { input, output }]) => [
      name,
      {
        input: inputDecoder(input, shapes),
        output: outputEncoder(output, shapes),
        recorders: { input: recordersOf(input, shapes), output: recordersOf(output, shapes) },
      },
    ]),
  )
}

function inputDecoder(shape: string, shapes: Shapes): OperationShapes['input'] {
  const read = readerOf(shape, shapes)
  return body => {
    const violations = new Violations()
    const input = read(body.length === 0 ? {} : parseJson(body), '', violations)
    try {
      violations.check()
      return input as Record<string, unknown>
    } catch (thrown) {
      wipe(input)
      throw thrown
    }
  }
}

function outputEncoder(shape: string | null, shapes: Shapes): OperationShapes['output'] {
  if (shape === null) return () => ''
  const write = writerOf(shape, shapes)
  return value => JSON.stringify(write((value ?? {}) as never))
}
