/** Conditions on one key that no value meets together. Found by trying every value that could make a difference. */
import { asciiLowerCase } from '../../model/ascii.ts'
import { type CompiledCondition, compileCondition, findOperator } from '../conditions.ts'
import type { Condition, Statement } from '../grammar.ts'
import type { Version } from '../variables.ts'
import { findKey, type Subject } from './rule.ts'

export function contradictions(
  { conditions, effect }: Statement,
  { document, vocabulary }: Subject,
): readonly string[] {
  const { version } = document
  const byKey = Map.groupBy(conditions, ({ key }) => asciiLowerCase(key))
  return [...byKey.values()].flatMap(same => {
    // Of several values one may meet one condition, and another one the other.
    if (same.length < 2 || findKey(same[0]!.key, vocabulary)?.type === 'ArrayOfString') return []
    if (!same.every(condition => isDecidable(condition, version))) return []
    const compiled = same.map(condition => compileCondition(condition, effect, version))
    const possible = compiled.every(isPossible)
    if (!possible || canHold(compiled)) return []
    return [`never applies: its conditions on ${same[0]!.key} contradict each other`]
  })
}

/** Sets of values, patterns and variables have too many cases. */
function isDecidable({ operator, values }: Condition, version: Version): boolean {
  const written = findOperator(operator)
  if (!written || written.set !== undefined || !decidable.test(written.operator.name)) return false
  const { template } = written.operator.comparison
  return values.every(value => {
    return !template || template(value, version).every(part => typeof part === 'string')
  })
}

const decidable = /^(String(Not)?(Equals|Like)|Numeric|Date|Bool|Null)/

/** One that no value meets is a finding of its own. */
function isPossible(condition: CompiledCondition): boolean {
  return canHold([condition])
}

function canHold(conditions: readonly CompiledCondition[]): boolean {
  const { key } = conditions[0]!
  const values = conditions.flatMap(({ condition }) => condition.values)
  const requests = [undefined, ...candidates(values)]
  return requests.some(value => {
    const context = (name: string) => (name === key && value !== undefined ? [value] : undefined)
    return conditions.every(({ holds }) => holds(context))
  })
}

/** A value of each kind that conditions with these values can tell apart: the values, one that is none of them, and those between. */
function candidates(values: readonly string[]): readonly string[] {
  const numbers = values.map(Number).filter(Number.isFinite)
  const dates = values.map(Date.parse).filter(Number.isFinite)
  return [
    ...values,
    'true',
    'false',
    `${values.join('')}-`,
    ...between(numbers).map(String),
    ...between(dates).map(time => new Date(time).toISOString()),
  ]
}

function between(numbers: readonly number[]): readonly number[] {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b)
  if (sorted.length === 0) return []
  const middles = sorted.slice(1).map((number, index) => (number + sorted[index]!) / 2)
  return [sorted[0]! - 1, ...middles, sorted.at(-1)! + 1]
}
