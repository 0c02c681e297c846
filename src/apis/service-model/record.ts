/** Values as they are in audit records: CloudTrail User Guide, "CloudTrail record contents". No blob is: each is key material, data or a token. */
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
  if (shape.sensitive || shape.type === 'blob') return () => undefined
  if (shape.type === 'timestamp') return value => dateText(value as Date)
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

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** As CloudTrail writes the dates of KMS and STS, in UTC: `Aug 10, 2022, 10:38:27 PM`. */
export function dateText(date: Date): string {
  const hours = date.getUTCHours()
  const [minutes, seconds] = [date.getUTCMinutes(), date.getUTCSeconds()].map(part => String(part).padStart(2, '0'))
  const day = `${months[date.getUTCMonth()]} ${date.getUTCDate()}, ${date.getUTCFullYear()}`
  return `${day}, ${hours % 12 || 12}:${minutes}:${seconds} ${hours < 12 ? 'AM' : 'PM'}`
}

function lowerCamel(member: string): string {
  return member[0]!.toLowerCase() + member.slice(1)
}
