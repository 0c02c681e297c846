/** The constraints of the model on a value, with AWS's wording. */
import type { ListShape, ScalarShape } from './model.ts'

export interface Constraint {
  /** As in the message, from `Member must` on. */
  readonly text: string
  /** Given a decoded value of the shape. */
  readonly met: (value: never) => boolean
}

export const notNull = 'Member must not be null'

/**
 * In the order in which AWS reports them. Only one limit of a value can be violated, so the order matters between a limit and the pattern,
 * and if all are listed (list members and map entries).
 */
export function constraintsOf(shape: ScalarShape | ListShape): readonly Constraint[] {
  const constraints = limits(shape)
  if (shape.type !== 'string') return constraints
  const { pattern, enum: values, listed = values, unlisted = [] } = shape
  if (pattern !== undefined) constraints.push(matches(pattern))
  if (values !== undefined) constraints.push(isOneOf([...values, ...unlisted], listed!))
  return constraints
}

function limits({ type, min, max }: ScalarShape | ListShape): Constraint[] {
  const constraints: Constraint[] = []
  const what = type === 'integer' ? 'value' : 'length'
  if (max !== undefined) {
    constraints.push({ text: `Member must have ${what} less than or equal to ${max}`, met: atMost(type, max) })
  }
  if (min !== undefined) {
    constraints.push({ text: `Member must have ${what} greater than or equal to ${min}`, met: atLeast(type, min) })
  }
  return constraints
}

interface Sized {
  readonly length: number
}

function atMost(type: string, max: number): Constraint['met'] {
  if (type === 'integer') return (value: number) => value <= max
  if (type === 'string') return (value: string) => value.length <= max || codePoints(value) <= max
  return (value: Sized) => value.length <= max
}

function atLeast(type: string, min: number): Constraint['met'] {
  if (type === 'integer') return (value: number) => value >= min
  if (type === 'string') return (value: string) => value.length >= 2 * min || codePoints(value) >= min
  return (value: Sized) => value.length >= min
}

/** Lengths count Unicode code points, not UTF-16 units: Smithy 2.0, "length trait". */
function codePoints(text: string): number {
  let count = text.length
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) count--
  return count
}

/** The pattern must match the whole value, as Java's `matches()`. Every pattern of the model is linear in the length. */
function matches(pattern: string): Constraint {
  // Java's \s is ASCII only. The model has it only inside brackets.
  const expression = new RegExp(`^(?:${pattern.replaceAll('\\s', ' \\t\\n\\v\\f\\r')})$`, 'u')
  return {
    text: `Member must satisfy regular expression pattern: ${pattern}`,
    met: (value: string) => expression.test(value),
  }
}

function isOneOf(values: readonly string[], listed: readonly string[]): Constraint {
  const set = new Set(values)
  return {
    text: `Member must satisfy enum value set: [${listed.join(', ')}]`,
    met: (value: string) => set.has(value),
  }
}
