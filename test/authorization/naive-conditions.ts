import {
  type Context,
  glob,
  listOf,
  type Policy,
  type Statement,
  substitute,
  unescaped,
  valuesOf,
} from './naive-text.ts'

/** The Condition element as the naive evaluator reads it (IAM User Guide, Condition operators). */

/** Whether a value of the request matches a value of the policy. */
type Comparison = (actual: string, expected: string) => boolean

const operators: Readonly<Record<string, Comparison>> = {
  StringEquals: (actual, expected) => actual === unescaped(expected),
  StringEqualsIgnoreCase: (actual, expected) => actual.toLowerCase() === unescaped(expected).toLowerCase(),
  StringLike: (actual, expected) => glob(expected).test(actual),
  NumericEquals: numeric((actual, expected) => actual === expected),
  NumericLessThan: numeric((actual, expected) => actual < expected),
  NumericLessThanEquals: numeric((actual, expected) => actual <= expected),
  NumericGreaterThan: numeric((actual, expected) => actual > expected),
  NumericGreaterThanEquals: numeric((actual, expected) => actual >= expected),
  DateEquals: date((actual, expected) => actual === expected),
  DateLessThan: date((actual, expected) => actual < expected),
  DateLessThanEquals: date((actual, expected) => actual <= expected),
  DateGreaterThan: date((actual, expected) => actual > expected),
  DateGreaterThanEquals: date((actual, expected) => actual >= expected),
  Bool: (actual, expected) => /^(true|false)$/i.test(expected) && actual.toLowerCase() === expected.toLowerCase(),
  BinaryEquals: (actual, expected) => Buffer.from(actual, 'base64').equals(Buffer.from(expected, 'base64')),
  IpAddress: isInRange,
  ArnEquals: isArnLike,
  ArnLike: isArnLike,
}

const negated: Readonly<Record<string, string>> = {
  StringNotEquals: 'StringEquals',
  StringNotEqualsIgnoreCase: 'StringEqualsIgnoreCase',
  StringNotLike: 'StringLike',
  NumericNotEquals: 'NumericEquals',
  DateNotEquals: 'DateEquals',
  NotIpAddress: 'IpAddress',
  ArnNotEquals: 'ArnEquals',
  ArnNotLike: 'ArnLike',
}

/** All operators and all keys must be met. */
export function isConditionMet({ Condition = {}, Effect }: Statement, policy: Policy, context: Context): boolean {
  return Object.entries(Condition).every(([operator, keys]) => {
    return Object.entries(keys).every(([key, expected]) => {
      const values = listOf(expected).map(String)
      return isOneMet(operator, values, { key, actual: valuesOf(key, context), policy, context }) ?? Effect === 'Deny'
    })
  })
}

/** Whether one line of a Condition element is met. Undefined if nobody can tell, as there is no such operator or nothing to negate. */
function isOneMet(
  operator: string,
  expected: readonly string[],
  { key, actual, policy, context }: { key: string; actual: readonly string[]; policy: Policy; context: Context },
): boolean | undefined {
  if (operator === 'Null') return expected.some(value => value.toLowerCase() === String(actual.length === 0))

  const [, set, name, ifExists] = /^(?:(ForAllValues|ForAnyValue):)?(.*?)(IfExists)?$/.exec(operator)!
  const positive = negated[name!] ?? name!
  const compare = operators[positive]
  if (!compare) return undefined

  const hasVariables = /^(String|Arn)/.test(positive)
  const wanted = expected.map(text => (hasVariables ? substitute(text, policy, context) : text))
  // IAM, Variables and tags: the whole statement does not match if AWS cannot resolve a variable.
  if (wanted.includes(undefined)) return false

  const isWanted = (value: string) => wanted.some(text => compare(value, text!))
  const isNegated = name! in negated
  // What is no number is neither a number nor another number: a number, a date or an address compares with itself.
  const isUnclear = (text: string) => !hasVariables && isNegated && !compare(text.split('/')[0]!, text)
  if (expected.some(isUnclear)) return undefined
  const isMet = (value: string) => isWanted(value) !== isNegated

  // AWS re:Post, ForAnyValue:StringEqualsIfExists behaving unexpectedly: IfExists changes nothing for ForAnyValue.
  if (actual.length === 0)
    return set !== 'ForAnyValue' && (set === 'ForAllValues' || isNegated || ifExists !== undefined)
  if (actual.some(isUnclear)) return undefined
  // IAM, Global condition keys, aws:ResourceTag: it matches a tag of either name, TagKey1 or tagkey1, but not both.
  if (set === undefined && actual.length > 1 && /Tag\/|EncryptionContext:/i.test(key)) return undefined
  if (set === 'ForAllValues') return actual.every(isMet)
  if (set === 'ForAnyValue') return actual.some(isMet)
  return actual.some(isWanted) !== isNegated
}

function numeric(compare: (actual: number, expected: number) => boolean): Comparison {
  const number = (text: string) => {
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN
    return Number.isFinite(value) ? value : Number.NaN
  }
  return (actual, expected) => compare(number(actual), number(expected))
}

/** Either side is in a format of W3C NOTE-datetime, but a year alone, in UTC if it names no time zone, or in seconds since 1970. */
function date(compare: (actual: number, expected: number) => boolean): Comparison {
  const format = /^\d{4}-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?$/
  const seconds = (text: string) => {
    if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text)
    const inZone = /T[^Z+-]+$/.test(text) ? `${text}Z` : text
    return format.test(text) ? Date.parse(inZone) / 1000 : Number.NaN
  }
  return (actual, expected) => compare(seconds(actual), seconds(expected))
}

/** Each of the six parts of an ARN is compared by itself. */
function isArnLike(actual: string, expected: string): boolean {
  const parts = (arn: string) => /^(.*?):(.*?):(.*?):(.*?):(.*?):(.*)$/s.exec(arn)?.slice(1)
  const patterns = parts(expected)
  const values = parts(actual)
  return !!patterns && !!values && patterns.every((pattern, index) => glob(pattern).test(values[index]!))
}

/** An address without prefix is itself alone. */
function isInRange(actual: string, expected: string): boolean {
  const [address, length] = expected.split('/') as [string, string?]
  const [bits, prefix] = [bitsOf(actual), bitsOf(address)]
  if (!bits || !prefix || bits.length !== prefix.length) return false
  const compared = Number(length ?? prefix.length)
  return compared <= prefix.length && bits.slice(0, compared) === prefix.slice(0, compared)
}

/** The bits of an IPv4 or IPv6 address, as text. */
function bitsOf(address: string): string | undefined {
  const inBits = (numbers: readonly number[], width: number) =>
    numbers.map(number => number.toString(2).padStart(width, '0')).join('')
  if (/^\d+(\.\d+){3}$/.test(address)) return inBits(address.split('.').map(Number), 8)
  if (!/^[\da-f:]+$/i.test(address)) return undefined
  const [front, back] = address.split('::').map(half => (half ? half.split(':') : []))
  const zeros = back ? Array<string>(8 - front!.length - back.length).fill('0') : []
  return inBits(
    [...front!, ...zeros, ...(back ?? [])].map(group => Number.parseInt(group, 16)),
    16,
  )
}
