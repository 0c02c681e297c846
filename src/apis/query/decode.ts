/** Parameters as the input of an operation, in the form that its reader expects: see service-model/read.ts. */
import { Failure } from '../../errors.ts'
import type { ScalarShape, Shape, Shapes } from '../service-model/model.ts'
import type { Parameter } from './parameters.ts'

/** Throws Serialization if the parameters do not have the form of the shape. Unknown ones are ignored. */
export function rawValue(shape: Shape, given: Parameter, path: string, shapes: Shapes): unknown {
  const { value, members } = given
  switch (shape.type) {
    case 'structure': {
      const names = Object.keys(shape.members).filter(name => members.has(name))
      if (value) throw unexpected(path, 'a structure')
      return Object.fromEntries(
        names.map(name => [
          name,
          rawValue(shapes(shape.members[name]!.shape), members.get(name)!, within(path, name), shapes),
        ]),
      )
    }
    case 'list':
      return numbered(given, 'member', path).map(([name, member]) => {
        return rawValue(shapes(shape.member.shape), member, name, shapes)
      })
    case 'map':
      return mapFrom(
        numbered(given, 'entry', path).map(([name, { members }]) => {
          const [key, part] = [members.get('key'), members.get('value')]
          if (key?.value === undefined || part === undefined) throw unexpected(name, 'an entry with key and value')
          return [key.value, rawValue(shapes(shape.value.shape), part, `${name}.value`, shapes)]
        }),
        path,
      )
    default:
      if (value === undefined || members.size > 0) throw unexpected(path, 'a single value')
      return scalar(shape.type, value, path)
  }
}

function mapFrom(entries: readonly (readonly [string, unknown])[], path: string): object {
  if (new Set(entries.map(([key]) => key)).size < entries.length) throw unexpected(path, 'a map: a key is in it twice')
  return Object.fromEntries(entries)
}

function within(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

/** The parameters `path.member.1`, `path.member.2` and so on, in the order of their numbers. An empty list is `path` without a value. */
function numbered(
  { value, members }: Parameter,
  label: string,
  path: string,
): readonly (readonly [string, Parameter])[] {
  const list = members.get(label)
  if (value || list?.value !== undefined || members.size > (list ? 1 : 0)) throw unexpected(path, 'a list')
  const numbers = [...(list?.members.keys() ?? [])]
  if (!numbers.every(number => /^[1-9]\d{0,3}$/.test(number))) throw unexpected(path, 'a list')
  return numbers
    .sort((a, b) => Number(a) - Number(b))
    .map(number => [`${path}.${label}.${number}`, list!.members.get(number)!])
}

function scalar(type: ScalarShape['type'], text: string, path: string): unknown {
  switch (type) {
    case 'integer':
      if (!/^[+-]?\d{1,19}$/.test(text)) throw unexpected(path, 'an integer')
      return Number(text)
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw unexpected(path, 'true or false')
      return text === 'true'
    case 'timestamp': {
      const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(text) ? Date.parse(text) : Number.NaN
      if (Number.isNaN(time)) throw unexpected(path, 'a timestamp')
      return time / 1000
    }
    default:
      return text
  }
}

/** Names the parameter, never its value. */
function unexpected(path: string, wanted: string): Failure {
  return new Failure('Serialization', `The parameter ${path} is not ${wanted}.`)
}
