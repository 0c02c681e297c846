/** Encodes the output of an operation for JSON.stringify, by the output shape of the model. */
import type { Shapes } from '../service-model/model.ts'

/** Writes one value, anything but null and undefined. */
export type Writer = (value: never) => unknown

/** Builds the writer of a shape. Done once, at start. Members that are not in the shape are never written. */
export function writerOf(name: string, shapes: Shapes): Writer {
  const shape = shapes(name)
  switch (shape.type) {
    case 'structure':
      return structureWriter(
        Object.entries(shape.members).map(([member, reference]) => [member, writerOf(reference.shape, shapes)]),
      )
    case 'list': {
      const write = writerOf(shape.member.shape, shapes)
      return (values: readonly never[]) => values.map(value => write(value))
    }
    case 'map': {
      const write = writerOf(shape.value.shape, shapes)
      return (map: Readonly<Record<string, never>>) => {
        const written: Record<string, unknown> = Object.create(null)
        for (const key of Object.keys(map)) written[key] = write(map[key]!)
        return written
      }
    }
    case 'blob':
      return ({ buffer, byteOffset, byteLength }: Uint8Array) =>
        Buffer.from(buffer, byteOffset, byteLength).toString('base64')
    case 'timestamp':
      // Seconds since the epoch; the fraction holds the milliseconds.
      return (date: Date) => date.getTime() / 1000
    default:
      return (value: unknown) => value
  }
}

function structureWriter(members: readonly (readonly [string, Writer])[]): Writer {
  return (value: Readonly<Record<string, never>>) => {
    const written: Record<string, unknown> = {}
    for (const [name, write] of members) {
      const part = value[name]
      if (part !== undefined && part !== null) written[name] = write(part)
    }
    return written
  }
}
