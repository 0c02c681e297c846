import { asciiLowerCase } from '../model/ascii.ts'
import { isWithin, readAddressRange, readBase64, readBoolean, readDate, readNumber } from './condition-values.ts'
import type { Condition } from './grammar.ts'
import { compilePattern, type Piece } from './pattern.ts'
import type { ConditionValues } from './request.ts'
import {
  arnTemplates,
  isConstant,
  isVariable,
  parseTemplate,
  partsOfArn,
  substitute,
  type Template,
  type Variable,
  type Version,
} from './variables.ts'

/** Condition operators: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued context keys". */

/** Whether a value of a request matches one of the values of a condition. */
type Test = (value: string, context: ConditionValues) => boolean

/** How an operator compares. */
interface Comparison {
  /** Whether a value of a policy is one that it can compare; one that is not matches nothing. */
  readonly accepts: (value: string) => boolean
  readonly compile: (values: readonly string[], version: Version) => Test
  /** Variables in values; absent if the operator has none. */
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

const equal = textComparison({ wildcards: false, build: literal })
const equalIgnoringCase = textComparison({ wildcards: false, build: literal, fold: lowerCase })
const like = textComparison({ wildcards: true, build: compilePattern })
const arnLike = arnComparison()
const binaryEqual = typedComparison(readBase64, (actual, expected) => actual === expected)
const booleanEqual = typedComparison(readBoolean, (actual, expected) => actual === expected)
const address = addressComparison()

/** Null is apart: it asks whether there is a value. */
// biome-ignore format: a table
const operators: readonly Operator[] = [
  operator('StringEquals',              no,  equal),
  operator('StringNotEquals',           NOT, equal),
  operator('StringEqualsIgnoreCase',    no,  equalIgnoringCase),
  operator('StringNotEqualsIgnoreCase', NOT, equalIgnoringCase),
  operator('StringLike',                no,  like),
  operator('StringNotLike',             NOT, like),
  operator('NumericEquals',             no,  typedComparison(readNumber, (actual, expected) => actual === expected)),
  operator('NumericNotEquals',          NOT, typedComparison(readNumber, (actual, expected) => actual === expected)),
  operator('NumericLessThan',           no,  typedComparison(readNumber, (actual, expected) => actual < expected)),
  operator('NumericLessThanEquals',     no,  typedComparison(readNumber, (actual, expected) => actual <= expected)),
  operator('NumericGreaterThan',        no,  typedComparison(readNumber, (actual, expected) => actual > expected)),
  operator('NumericGreaterThanEquals',  no,  typedComparison(readNumber, (actual, expected) => actual >= expected)),
  operator('DateEquals',                no,  typedComparison(readDate, (actual, expected) => actual === expected)),
  operator('DateNotEquals',             NOT, typedComparison(readDate, (actual, expected) => actual === expected)),
  operator('DateLessThan',              no,  typedComparison(readDate, (actual, expected) => actual < expected)),
  operator('DateLessThanEquals',        no,  typedComparison(readDate, (actual, expected) => actual <= expected)),
  operator('DateGreaterThan',           no,  typedComparison(readDate, (actual, expected) => actual > expected)),
  operator('DateGreaterThanEquals',     no,  typedComparison(readDate, (actual, expected) => actual >= expected)),
  operator('Bool',                      no,  booleanEqual),
  operator('BinaryEquals',              no,  binaryEqual),
  operator('IpAddress',                 no,  address),
  operator('NotIpAddress',              NOT, address),
  operator('ArnEquals',                 no,  arnLike),
  operator('ArnNotEquals',              NOT, arnLike),
  operator('ArnLike',                   no,  arnLike),
  operator('ArnNotLike',                NOT, arnLike),
  operator('Null',                      no,  booleanEqual),
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
  /** In lower case. */
  readonly key: string
  readonly variables: readonly Variable[]
  readonly holds: (context: ConditionValues) => boolean
}

/** An operator that is not known never makes a policy wider: an Allow does not apply, a Deny does. */
export function compileCondition(condition: Condition, effect: 'Allow' | 'Deny', version: Version): CompiledCondition {
  const key = asciiLowerCase(condition.key)
  const written = findOperator(condition.operator)
  if (!written) return { condition, key, variables: [], holds: () => effect === 'Deny' }
  const { comparison } = written.operator
  const variables = condition.values.flatMap(value => comparison.template?.(value, version).filter(isVariable) ?? [])
  const test = comparison.compile(condition.values, version)
  return { condition, key, variables, holds: quantify(written, key, test) }
}

/** The truth of a condition by the values that the request has for its key. */
function quantify({ operator, set, ifExists }: WrittenOperator, key: string, test: Test): CompiledCondition['holds'] {
  const { negated } = operator
  const isAbsent = (values: readonly string[] | undefined) => values === undefined || values.length === 0
  if (operator.name === 'Null') return context => test(String(isAbsent(context(key))), context)
  const withoutValues = ifExists || set === 'ForAllValues' || (negated && set === undefined)
  // All values must match, or for a negated operator none may; otherwise one is enough.
  const all = set === 'ForAllValues' || (negated && set === undefined)
  return context => {
    const values = context(key)
    if (values === undefined || values.length === 0) return withoutValues
    for (const value of values) if ((test(value, context) !== negated) !== all) return !all
    return all
  }
}

/** Compares values of a type that is read from text. */
function typedComparison<T>(
  read: (text: string) => T | undefined,
  holds: (actual: T, expected: T) => boolean,
): Comparison {
  return {
    accepts: value => read(value) !== undefined,
    compile(values) {
      const expected = values.map(read).filter(value => value !== undefined)
      return text => {
        const actual = read(text)
        return actual !== undefined && expected.some(value => holds(actual, value))
      }
    },
  }
}

function addressComparison(): Comparison {
  return {
    accepts: value => readAddressRange(value) !== undefined,
    compile: values => isWithin(values.map(readAddressRange).filter(range => range !== undefined)),
  }
}

interface TextComparison {
  readonly wildcards: boolean
  readonly build: (pieces: readonly Piece[]) => (text: string) => boolean
  /** Applied to both sides. */
  readonly fold?: (text: string) => string
}

function textComparison({ wildcards, build, fold = same }: TextComparison): Comparison {
  const template = (value: string, version: Version) => parseTemplate(value, { version, wildcards })
  const folded = (pieces: readonly Piece[]) =>
    build(pieces.map(piece => (typeof piece === 'string' ? fold(piece) : piece)))
  return {
    accepts: () => true,
    template,
    compile(values, version) {
      const tests = values.map(value => templateTest(template(value, version), folded))
      return (text, context) => anyHolds(tests, fold(text), context)
    },
  }
}

/** The test of a template: built once, or with its variables at each request. */
function templateTest(template: Template, build: TextComparison['build']): Test {
  if (isConstant(template)) return build(template)
  return (text, context) => {
    const pieces = substitute(template, context)
    return pieces !== undefined && build(pieces)(text)
  }
}

/** Each of the six parts of an ARN by itself: a wildcard never reaches into the next part. */
function arnComparison(): Comparison {
  const template = (value: string, version: Version) => parseTemplate(value, { version, wildcards: true })
  return {
    accepts: value => arnTemplates(template(value, '2012-10-17')) !== undefined,
    template,
    compile(values, version) {
      const arns = values
        .map(value => arnTemplates(template(value, version)))
        .filter(templates => templates !== undefined)
        .map(templates => templates.map(part => templateTest(part, compilePattern)))
      return (text, context) => {
        const parts = partsOfArn(text)
        return parts !== undefined && arns.some(tests => tests.every((test, index) => test(parts[index]!, context)))
      }
    },
  }
}

function anyHolds(tests: readonly Test[], text: string, context: ConditionValues): boolean {
  for (const test of tests) if (test(text, context)) return true
  return false
}

function literal(pieces: readonly Piece[]): (text: string) => boolean {
  const expected = pieces.join('')
  return text => text === expected
}

function same(text: string): string {
  return text
}

/** But for the two letters whose lower case is an ASCII letter: a Kelvin sign is not a `k`. */
function lowerCase(text: string): string {
  return text.replace(/[^\u0130\u212a]+/g, letters => letters.toLowerCase())
}
