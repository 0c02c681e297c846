import { asciiLowerCase } from '../model/ascii.ts'
import type { Matcher } from './automaton.ts'
import { isWithin, readAddressRange, readBase64, readBoolean, readDate, readNumber } from './condition-values.ts'
import type { Condition } from './grammar.ts'
import type { ConditionValues } from './request.ts'
import {
  arnTemplate,
  compileTemplates,
  isVariable,
  parseTemplate,
  type Template,
  type TemplateMatcher,
  type Variable,
  type Version,
} from './variables.ts'

/** Condition operators: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued context keys". */

/** How an operator compares a value of a request with the values of a policy. */
interface Comparison {
  /** Whether a value that it cannot compare is a mistake: a negation would hold for it. */
  readonly isStrict?: true
  /** Whether a value is one that it can compare; another one matches nothing. */
  readonly accepts: (value: string) => boolean
  /** Whether a value of a request matches any of the policy's. */
  readonly compile: (values: readonly string[], version: Version) => TemplateMatcher
  /** The variables in a value; absent if a value has none. */
  readonly template?: (value: string, version: Version) => Template
}

export interface Operator {
  readonly name: string
  /** Whether it is the negation of its comparison: true if no value matches, and without values. */
  readonly negated: boolean
  readonly comparison: Comparison
}

const no = false
const NOT = true

const text = textComparison({ wildcards: false })
const textIgnoringCase = textComparison({ wildcards: false, fold: lowerCase })
const pattern = textComparison({ wildcards: true })
const arn = arnComparison()
const number = (build: Build<number>) => strict(typedComparison(readNumber, build))
const date = (build: Build<number>) => strict(typedComparison(readDate, build))
const boolean = typedComparison(readBoolean, equalTo)
const binary = typedComparison(readBase64, equalTo)
const address = strict(addressComparison())

/** Null is apart: it asks whether the request has the key. */
// biome-ignore format: a table
const operators: readonly Operator[] = [
  operator('StringEquals',              no,  text),
  operator('StringNotEquals',           NOT, text),
  operator('StringEqualsIgnoreCase',    no,  textIgnoringCase),
  operator('StringNotEqualsIgnoreCase', NOT, textIgnoringCase),
  operator('StringLike',                no,  pattern),
  operator('StringNotLike',             NOT, pattern),
  operator('NumericEquals',             no,  number(equalTo)),
  operator('NumericNotEquals',          NOT, number(equalTo)),
  operator('NumericLessThan',           no,  number(lessThan)),
  operator('NumericLessThanEquals',     no,  number(lessThanOrEqualTo)),
  operator('NumericGreaterThan',        no,  number(greaterThan)),
  operator('NumericGreaterThanEquals',  no,  number(greaterThanOrEqualTo)),
  operator('DateEquals',                no,  date(equalTo)),
  operator('DateNotEquals',             NOT, date(equalTo)),
  operator('DateLessThan',              no,  date(lessThan)),
  operator('DateLessThanEquals',        no,  date(lessThanOrEqualTo)),
  operator('DateGreaterThan',           no,  date(greaterThan)),
  operator('DateGreaterThanEquals',     no,  date(greaterThanOrEqualTo)),
  operator('Bool',                      no,  boolean),
  operator('BinaryEquals',              no,  binary),
  operator('IpAddress',                 no,  address),
  operator('NotIpAddress',              NOT, address),
  operator('ArnEquals',                 no,  arn),
  operator('ArnNotEquals',              NOT, arn),
  operator('ArnLike',                   no,  arn),
  operator('ArnNotLike',                NOT, arn),
  operator('Null',                      no,  boolean),
]

function operator(name: string, negated: boolean, comparison: Comparison): Operator {
  return { name, negated, comparison }
}

const byName = new Map(operators.map(operator => [operator.name, operator]))

/** An operator as a policy writes it: with a set operator before and IfExists behind. */
export interface WrittenOperator {
  readonly operator: Operator
  readonly set?: 'ForAllValues' | 'ForAnyValue' | undefined
  readonly ifExists: boolean
}

/** Undefined for an operator that is not known. Null has neither a set operator nor IfExists. */
export function findOperator(written: string): WrittenOperator | undefined {
  const [, set, name = '', ifExists] = /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/.exec(written) ?? []
  const operator = byName.get(name)
  if (!operator || (name === 'Null' && written !== name)) return undefined
  return { operator, set: set as WrittenOperator['set'], ifExists: ifExists !== undefined }
}

export interface CompiledCondition {
  readonly condition: Condition
  /** As the request is asked for it. */
  readonly key: string
  readonly variables: readonly Variable[]
  readonly holds: (context: ConditionValues) => boolean
}

/** The key of a tag or of a pair of an encryption context, such as `aws:ResourceTag/team`. */
const namesPair = /^[^:]*:[^:/]*[:/]/

/**
 * What is not understood never makes a policy wider: an Allow does not apply, a Deny does. That is so for an operator that is not known,
 * for the negation of a comparison with what is no number, date or address, and for a pair with several values, whose names differ in case
 * only: the caller may have added one. IAM User Guide, "AWS global condition context keys", aws:ResourceTag: a condition matches either
 * name, but not both.
 */
export function compileCondition(condition: Condition, effect: 'Allow' | 'Deny', version: Version): CompiledCondition {
  const key = asciiLowerCase(condition.key)
  const written = findOperator(condition.operator)
  if (!written || !canNegate(written.operator, condition.values)) {
    return { condition, key, variables: [], holds: () => effect === 'Deny' }
  }
  const { comparison } = written.operator
  const variables = condition.values.flatMap(value => comparison.template?.(value, version).filter(isVariable) ?? [])
  const matcher = comparison.compile(condition.values, version)
  return { condition, key, variables, holds: quantify(written, key, matcher, effect) }
}

/** Whether the negation of a comparison with the values is meant: what is no number is not simply another number. */
function canNegate({ negated, comparison: { isStrict, accepts } }: Operator, values: readonly string[]): boolean {
  return !negated || !isStrict || values.every(accepts)
}

/** The truth of a condition by the values that the request has for its key. */
function quantify(
  { operator, set, ifExists }: WrittenOperator,
  key: string,
  matcher: TemplateMatcher,
  effect: 'Allow' | 'Deny',
): CompiledCondition['holds'] {
  const { negated } = operator
  if (operator.name === 'Null') return context => matcher(context)(String(isAbsent(context(key))))
  // All values must fit, or one is enough; a negation is true if none matches.
  const all = set === 'ForAllValues' || (negated && set === undefined)
  // Without a value ForAnyValue is false, with IfExists too: measured on AWS (AWS re:Post, "ForAnyValue:StringEqualsIfExists behaving unexpectedly").
  const withoutValues = all || (ifExists && set !== 'ForAnyValue')
  const hasOneValue = set === undefined && namesPair.test(key)
  return context => {
    const values = context(key)
    if (isAbsent(values)) return withoutValues
    if ((hasOneValue && values.length > 1) || !canNegate(operator, values)) return effect === 'Deny'
    const matches = matcher(context)
    for (const value of values) if ((matches(value) !== negated) !== all) return !all
    return all
  }
}

function isAbsent(values: readonly string[] | undefined): values is undefined {
  return values === undefined || values.length === 0
}

/** @param fold applied to both sides */
function textComparison({ wildcards, fold }: { wildcards: boolean; fold?: (text: string) => string }): Comparison {
  const template = (value: string, version: Version) => parseTemplate(value, { version, wildcards })
  return {
    accepts: () => true,
    template,
    compile(values, version) {
      const templates = values.map(value => template(value, version))
      if (!fold) return compileTemplates(templates)
      const matcher = compileTemplates(templates, fold)
      return context => {
        const matches = matcher(context)
        return value => matches(fold(value))
      }
    },
  }
}

/** Each of the six parts of an ARN by itself: a wildcard never reaches into the next part. */
function arnComparison(): Comparison {
  const template = (value: string, version: Version) => parseTemplate(value, { version, wildcards: true })
  return {
    accepts: value => arnTemplate(template(value, '2012-10-17')) !== undefined,
    template,
    compile(values, version) {
      const templates = values.map(value => arnTemplate(template(value, version)))
      return compileTemplates(templates.filter(parts => parts !== undefined))
    },
  }
}

function strict(comparison: Comparison): Comparison {
  return { ...comparison, isStrict: true }
}

/** The test for a value of a request, by what the values of a policy are read as: one or more. */
type Build<T> = (expected: readonly T[]) => (actual: T) => boolean

/** Compares values of a type that is read from text. */
function typedComparison<T>(read: (text: string) => T | undefined, build: Build<T>): Comparison {
  return {
    accepts: value => read(value) !== undefined,
    compile(values) {
      const expected = values.map(read).filter(value => value !== undefined)
      if (expected.length === 0) return always(() => false)
      const test = build(expected)
      return always(value => {
        const actual = read(value)
        return actual !== undefined && test(actual)
      })
    },
  }
}

function addressComparison(): Comparison {
  return {
    accepts: value => readAddressRange(value) !== undefined,
    compile: values => always(isWithin(values.map(readAddressRange).filter(range => range !== undefined))),
  }
}

/** The same in each request, as it has no variables. */
function always(matches: Matcher): TemplateMatcher {
  return () => matches
}

function equalTo<T>(expected: readonly T[]): (actual: T) => boolean {
  const set = new Set(expected)
  return actual => set.has(actual)
}

/** What is less than one of several numbers is less than the greatest. */
function lessThan(expected: readonly number[]): (actual: number) => boolean {
  const greatest = expected.reduce((one, other) => Math.max(one, other))
  return actual => actual < greatest
}

function lessThanOrEqualTo(expected: readonly number[]): (actual: number) => boolean {
  const greatest = expected.reduce((one, other) => Math.max(one, other))
  return actual => actual <= greatest
}

function greaterThan(expected: readonly number[]): (actual: number) => boolean {
  const least = expected.reduce((one, other) => Math.min(one, other))
  return actual => actual > least
}

function greaterThanOrEqualTo(expected: readonly number[]): (actual: number) => boolean {
  const least = expected.reduce((one, other) => Math.min(one, other))
  return actual => actual >= least
}

/** But for the two letters whose lower case is an ASCII letter: a Kelvin sign is not a `k`. */
function lowerCase(value: string): string {
  return value.replace(/[^\u0130\u212a]+/g, letters => letters.toLowerCase())
}
