/**
 * Reads the input of an operation, checking the constraints of the model. It is given as parsed JSON, whatever the protocol: timestamps in
 * seconds since the epoch, blobs in base64.
 */
import { Failure } from '../../errors.ts'
import { decodeBase64 } from '../../model/base64.ts'
import { wipe } from '../../wipe.ts'
import { type Constraint, constraintsOf, notNull } from './constraints.ts'
import type { ListShape, MapShape, ScalarShape, Shapes, StructureShape } from './model.ts'
import { Violations } from './violations.ts'

/** Throws Serialization or Validation. Absent and null members are absent, unknown ones ignored. */
export type InputReader = (raw: unknown) => Readonly<Record<string, unknown>>

/** Builds the reader of the input of an operation. Blobs become Uint8Array, timestamps Date, maps have no prototype. */
export function inputReader(name: string, shapes: Shapes): InputReader {
  const read = readerOf(name, shapes)
  return raw => {
    const violations = new Violations()
    const input = read(raw, '', violations)
    try {
      violations.check()
      return input as Record<string, unknown>
    } catch (thrown) {
      wipe(input)
      throw thrown
    }
  }
}

/**
 * Reads one value. A wrong JSON type throws Serialization at once; violated constraints are collected, so that all are reported together.
 * @param raw anything but null and undefined
 * @param path of this value, for messages; empty for the whole input
 */
type Reader = (raw: unknown, path: string, violations: Violations) => unknown

/** Builds the reader of a shape. Done once, at start. */
function readerOf(name: string, shapes: Shapes): Reader {
  const shape = shapes(name)
  if (shape.type === 'structure') return structureReader(shape, shapes)
  if (shape.type === 'map') return mapReader(shape, shapes)
  if (shape.type === 'list') {
    return shapes(shape.member.shape).type === 'structure'
      ? structureListReader(shape, shapes)
      : scalarListReader(shape, shapes)
  }
  return scalarReader(scalarNamed(name, shapes))
}

function structureReader(shape: StructureShape, shapes: Shapes): Reader {
  const members = Object.entries(shape.members).map(([name, reference]) => ({
    name,
    path: name.charAt(0).toLowerCase() + name.slice(1),
    required: shape.required?.includes(name) ?? false,
    absent: shapes(reference.shape).sensitive ? undefined : null,
    read: readerOf(reference.shape, shapes),
  }))
  const readVariant = shape.variant && readerOf(shape.variant.shape, shapes)
  return (raw, path, violations) => {
    // AWS has no message for a missing input.
    const source = objectFrom(raw, path === '' ? '' : 'Expected null')
    if (readVariant && shape.variant!.is(source)) return readVariant(source, path, violations)
    const value: Record<string, unknown> = {}
    try {
      for (const member of members) {
        const part = source[member.name]
        const memberPath = path === '' ? member.path : `${path}.${member.path}`
        if (part !== undefined && part !== null) value[member.name] = member.read(part, memberPath, violations)
        else if (member.required) violations.add(memberPath, notNull, member.absent)
      }
      return value
    } catch (thrown) {
      wipe(value)
      throw thrown
    }
  }
}

function structureListReader(shape: ListShape, shapes: Shapes): Reader {
  const read = readerOf(shape.member.shape, shapes)
  const constraints = constraintsOf(shape)
  return (raw, path, violations) => {
    const values = arrayFrom(raw).map((part, index) => {
      const memberPath = `${path}.${index + 1}.member`
      if (part !== null) return read(part, memberPath, violations)
      violations.add(memberPath, notNull, null)
      return undefined
    })
    for (const constraint of constraints) {
      if (!constraint.met(values as never)) violations.add(path, constraint.text, undefined)
    }
    return values
  }
}

/** AWS names no single member of a list of plain values: it shows the whole list and all constraints of its members. */
function scalarListReader(shape: ListShape, shapes: Shapes): Reader {
  const member = scalarNamed(shape.member.shape, shapes)
  const constraints = constraintsOf(shape)
  const memberText = `Member must satisfy constraint: ${allOf(member)}`
  return (raw, path, violations) => {
    let fitting = true
    const values = arrayFrom(raw).map(part => {
      const value = part === null ? null : member.decode(part)
      fitting &&= value !== null && fits(member, value)
      return value
    })
    const text = () => (member.hidden ? undefined : `[${values.join(', ')}]`)
    for (const constraint of constraints) {
      if (!constraint.met(values as never)) violations.add(path, constraint.text, text())
    }
    if (!fitting) violations.add(path, memberText, text())
    return values
  }
}

/** Maps have no prototype, so that `__proto__` is a key like any other. AWS reports keys once and values once. */
function mapReader({ key: keyShape, value: valueShape, checkLimit }: MapShape, shapes: Shapes): Reader {
  const key = scalarNamed(keyShape.shape, shapes)
  const value = scalarNamed(valueShape.shape, shapes)
  return (raw, path, violations) => {
    const source = objectFrom(raw, 'Expected map or null')
    const map: Record<string, unknown> = Object.create(null)
    let keysFit = true
    let valuesFit = true
    for (const name of Object.keys(source)) {
      const part = source[name]
      key.decode(name)
      map[name] = part === null ? null : value.decode(part)
      keysFit &&= fits(key, name)
      valuesFit &&= part !== null && fits(value, map[name])
    }
    checkLimit?.(map as Record<string, string | null>)
    if (keysFit && valuesFit) return map
    const text = key.hidden || value.hidden ? undefined : javaMap(map)
    if (!keysFit) violations.add(path, `Map keys must satisfy constraint: ${allOf(key)}`, text)
    if (!valuesFit) violations.add(path, `Map value must satisfy constraint: ${allOf(value)}`, text)
    return map
  }
}

function javaMap(map: Readonly<Record<string, unknown>>): string {
  return `{${Object.entries(map)
    .map(([name, part]) => `${name}=${part}`)
    .join(', ')}}`
}

interface Scalar {
  readonly decode: (raw: unknown) => unknown
  readonly constraints: readonly Constraint[]
  /** Whether messages omit the value. */
  readonly hidden: boolean
}

function scalarNamed(name: string, shapes: Shapes): Scalar {
  const shape = shapes(name)
  if (!(shape.type in decoders)) throw new Error(`${name} is a ${shape.type} where only a plain value can be read`)
  const scalar = shape as ScalarShape
  return {
    decode: decoders[scalar.type],
    constraints: constraintsOf(scalar),
    hidden: scalar.sensitive === true || scalar.type === 'blob',
  }
}

function scalarReader({ decode, constraints, hidden }: Scalar): Reader {
  return (raw, path, violations) => {
    const value = decode(raw)
    for (const constraint of constraints) {
      if (!constraint.met(value as never)) violations.add(path, constraint.text, hidden ? undefined : String(value))
    }
    return value
  }
}

function fits(scalar: Scalar, value: unknown): boolean {
  return scalar.constraints.every(constraint => constraint.met(value as never))
}

function allOf(scalar: Scalar): string {
  return `[${[...scalar.constraints.map(constraint => constraint.text), notNull].join(', ')}]`
}

const leastInteger = -(2 ** 31)
const greatestInteger = 2 ** 31 - 1

const decoders: Record<ScalarShape['type'], (raw: unknown) => unknown> = {
  string(raw) {
    if (typeof raw !== 'string') throw notConvertible(raw, 'a String')
    // A lone surrogate has no UTF-8 encoding: two encryption contexts would share their bytes.
    if (!raw.isWellFormed()) throw new Failure('Serialization')
    return raw
  },
  blob(raw) {
    if (typeof raw !== 'string') throw notConvertible(raw, 'a Blob')
    const bytes = decodeBase64(raw)
    if (bytes) return bytes
    throw new Failure('Serialization')
  },
  integer(raw) {
    if (typeof raw !== 'number') throw notConvertible(raw, 'an Integer')
    // Measured on AWS: a number beyond the integers is clamped, and fails the range check.
    const nearest = Math.min(Math.max(raw, leastInteger), greatestInteger)
    if (!Number.isInteger(nearest)) throw notConvertible(raw, 'an Integer')
    return nearest | 0
  },
  boolean(raw) {
    if (typeof raw !== 'boolean') throw notConvertible(raw, 'a Boolean')
    return raw
  },
  timestamp(raw) {
    const date = new Date(typeof raw === 'number' ? Math.round(raw * 1000) : Number.NaN)
    if (Number.isNaN(date.getTime())) throw notConvertible(raw, 'a Timestamp')
    return date
  },
}

/** @param otherwise the message for a plain value */
function objectFrom(raw: unknown, otherwise: string): Readonly<Record<string, unknown>> {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw wrongType(raw, otherwise)
  return raw as Record<string, unknown>
}

function arrayFrom(raw: unknown): readonly unknown[] {
  if (!Array.isArray(raw)) throw wrongType(raw, 'Expected list or null')
  return raw
}

/** Measured on AWS, full stops included. @param otherwise the message for a plain value */
function wrongType(raw: unknown, otherwise: string): Failure {
  if (Array.isArray(raw)) return new Failure('Serialization', 'Start of list found where not expected')
  if (typeof raw === 'object' && raw !== null) {
    return new Failure('Serialization', 'Start of structure or map found where not expected.')
  }
  return new Failure('Serialization', otherwise)
}

/** Names the JSON type, never the value. */
function notConvertible(raw: unknown, wanted: string): Failure {
  const token = typeof raw === 'boolean' ? `${raw}` : typeof raw
  return wrongType(raw, `${token.toUpperCase()}_VALUE can not be converted to ${wanted}`)
}
