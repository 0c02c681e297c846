/** Values as they are in audit records: CloudTrail User Guide, "CloudTrail record contents". */
import type { Shapes } from './model.ts'

type Recorder = (value: unknown) => unknown

/** By member of a structure, for those that are not recorded as they are. Of what is sensitive, nothing is. */
type Recorders = Readonly<Record<string, Recorder>>

/** Of the members of input and output. */
export interface OperationRecorders {
  readonly input: Recorders
  readonly output: Recorders
}

/** @param operation its shapes, by their names */
export function recordersOf(
  { input, output }: { readonly input: string; readonly output: string | null },
  shapes: Shapes,
): OperationRecorders {
  return { input: membersOf(input, shapes), output: output === null ? {} : membersOf(output, shapes) }
}

function membersOf(structure: string, shapes: Shapes): Recorders {
  const shape = shapes(structure)
  if (shape.type !== 'structure') return {}
  const entries = Object.entries(shape.members).map(([name, { shape }]) => [name, recorderOf(shape, shapes)] as const)
  return Object.fromEntries(entries.filter(([, recorder]) => recorder !== undefined)) as Recorders
}

/** Names of structure members are in lowerCamel; keys of maps are values of the caller, and kept. */
function recorderOf(name: string, shapes: Shapes): Recorder | undefined {
  const shape = shapes(name)
  if (shape.sensitive) return () => undefined
  if (shape.type === 'list') {
    const member = recorderOf(shape.member.shape, shapes)
    return member && (value => (value as readonly unknown[]).map(member))
  }
  if (shape.type !== 'structure') return undefined
  const recorders = membersOf(name, shapes)
  const { variant } = shape
  const recordVariant = variant && recorderOf(variant.shape, shapes)
  return value => {
    if (recordVariant && variant!.is(value as Record<string, unknown>)) return recordVariant(value)
    const entries = Object.entries(value as object).map(([member, part]) => {
      const record = recorders[member]
      return [lowerCamel(member), part === undefined || record === undefined ? part : record(part)]
    })
    return Object.fromEntries(entries)
  }
}

function lowerCamel(member: string): string {
  return member[0]!.toLowerCase() + member.slice(1)
}
