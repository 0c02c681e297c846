/** Values that fit the shapes of the model, for property tests. */
import fc from 'fast-check'
import { shapeNamed } from '../../../src/apis/kms/model.ts'
import { constraintsOf } from '../../../src/apis/service-model/constraints.ts'
import type { ScalarShape, StructureShape } from '../../../src/apis/service-model/model.ts'

const wellFormed = (min = 0, max = 40) =>
  fc.string({ unit: 'binary', minLength: min, maxLength: Math.min(max, min + 40) })

/** The SDK writes maps into plain objects, which cannot hold this key. */
const mapKeys = wellFormed().filter(key => key !== '__proto__')

/** Any value of the shape; members that the model does not require are sometimes absent. */
export function anyOf(name: string): fc.Arbitrary<unknown> {
  const shape = shapeNamed(name)
  switch (shape.type) {
    case 'structure':
      return structureOf(shape)
    case 'list':
      return fc.array(anyOf(shape.member.shape), {
        minLength: shape.min ?? 0,
        maxLength: Math.min(shape.max ?? 5, 5),
      })
    case 'map':
      return fc.dictionary(mapKeys, anyOf(shape.value.shape), { maxKeys: 5 })
    case 'string':
      return stringOf(name, shape)
    case 'blob':
      return fc.uint8Array({ minLength: shape.min ?? 0, maxLength: Math.min(shape.max ?? 100, 100) })
    case 'integer':
      return fc.integer({ min: shape.min ?? -(2 ** 31), max: shape.max ?? 2 ** 31 - 1 })
    case 'boolean':
      return fc.boolean()
    case 'timestamp':
      return fc.date({ min: new Date('1970-01-01'), max: new Date('2999-12-31'), noInvalidDate: true })
  }
}

function structureOf({ members, required = [] }: StructureShape): fc.Arbitrary<object> {
  const values = Object.fromEntries(Object.entries(members).map(([name, { shape }]) => [name, anyOf(shape)]))
  return fc.record(values, { requiredKeys: [...required], noNullPrototype: true })
}

function stringOf(name: string, shape: ScalarShape): fc.Arbitrary<string> {
  if (shape.enum !== undefined) return fc.constantFrom(...shape.enum)
  if (name === 'KeyIdType') return fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 80 })
  const { pattern, min = 0, max = 40 } = shape
  if (pattern === undefined) return wellFormed(min, max)
  // A last unbounded repetition takes the bounds of the length, so that few draws are thrown away.
  const bounded = pattern.replace(/(?<=\])[+*]\$?$/, `{${Math.max(1, min)},${Math.min(max, min + 40)}}`)
  const constraints = constraintsOf(shape)
  return fc.stringMatching(new RegExp(`^(?:${bounded})$`)).filter(text => constraints.every(c => c.met(text as never)))
}
