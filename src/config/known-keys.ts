/** Which keys a configuration may have where it is wrong: for messages. */
import { z } from 'zod'

/** Keys that are valid at a path of what is written. */
export function knownKeys(schema: z.ZodType, path: readonly PropertyKey[], written: unknown): readonly string[] {
  let at = chosen(schema, written)
  let value = written
  for (const step of path) {
    value = (value as Record<PropertyKey, unknown> | undefined)?.[step]
    at = chosen(memberOf(at, step), value)
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : []
}

function memberOf(type: unknown, step: PropertyKey): unknown {
  if (type instanceof z.ZodObject) return type.shape[step as string]
  return type instanceof z.ZodRecord ? type.valueType : undefined
}

/** Of several types, the one that the value names. */
function chosen(type: unknown, value: unknown): unknown {
  const inner = unwrap(type)
  if (!(inner instanceof z.ZodDiscriminatedUnion)) return inner
  const { discriminator } = inner.def
  return inner.options.find(option => {
    const name = memberOf(option, discriminator)
    return name instanceof z.ZodLiteral && name.value === (value as Record<string, unknown>)[discriminator]
  })
}

function unwrap(type: unknown): unknown {
  let inner = type
  while (
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodExactOptional ||
    inner instanceof z.ZodDefault
  ) {
    inner = inner.unwrap()
  }
  return inner
}
