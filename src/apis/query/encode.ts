/** Writes the output of an operation as XML elements, by the output shape of the model: Smithy 2.0, "AWS query protocol". */
import type { Shapes } from '../service-model/model.ts'
import { xmlText } from '../xml.ts'

/** Writes the content of an element, of anything but null and undefined. */
export type ElementWriter = (value: never) => string

/** Builds the writer of a shape. Done once, at start. Members that are not in the shape are never written. */
export function elementWriter(name: string, shapes: Shapes): ElementWriter {
  const shape = shapes(name)
  switch (shape.type) {
    case 'structure': {
      const members = Object.entries(shape.members).map(([member, reference]) => {
        return [member, elementWriter(reference.shape, shapes)] as const
      })
      return (value: Readonly<Record<string, never>>) =>
        members.map(([member, write]) => element(member, value[member], write)).join('')
    }
    case 'list': {
      const write = elementWriter(shape.member.shape, shapes)
      return (values: readonly never[]) => values.map(value => element('member', value, write)).join('')
    }
    case 'map': {
      const write = elementWriter(shape.value.shape, shapes)
      return (map: Readonly<Record<string, never>>) =>
        Object.keys(map)
          .map(key => `<entry><key>${xmlText(key)}</key>${element('value', map[key], write)}</entry>`)
          .join('')
    }
    case 'blob':
      return ({ buffer, byteOffset, byteLength }: Uint8Array) =>
        Buffer.from(buffer, byteOffset, byteLength).toString('base64')
    case 'timestamp':
      // Whole seconds without a fraction, as AWS writes them.
      return (date: Date) => date.toISOString().replace('.000Z', 'Z')
    default:
      return (value: unknown) => xmlText(String(value))
  }
}

function element(name: string, value: never | undefined | null, write: ElementWriter): string {
  return value === undefined || value === null ? '' : `<${name}>${write(value as never)}</${name}>`
}
