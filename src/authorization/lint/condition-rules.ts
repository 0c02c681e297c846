import { asciiLowerCase } from '../../model/ascii.ts'
import { readDate } from '../condition-values.ts'
import { compileCondition, findOperator, type WrittenOperator } from '../conditions.ts'
import type { Condition } from '../grammar.ts'
import { isVariable, parseTemplate } from '../variables.ts'
import { contradictions } from './contradictions.ts'
import { findKey, holdsWithoutKey, type KnownKey, type StatementRule, type Studied, type Subject } from './rule.ts'
import { issuersOf } from './trust-rules.ts'

/** A condition with all that is known about it. */
interface Asked {
  readonly condition: Condition
  readonly written: WrittenOperator
  /** Undefined for a key that is not documented. */
  readonly key: KnownKey | undefined
  readonly statement: Studied
  readonly subject: Subject
}

/** Rules about the conditions of one statement. */
export const conditionRules: readonly StatementRule[] = [
  rule('unknown-condition-key', unknownKey),
  rule('absent-condition-key', absentKey),
  rule('constant-condition-key', constantKey),
  rule('condition-key-of-other-actions', keyOfOtherActions),
  rule('condition-type', typeMismatch),
  rule('condition-value', impossibleValues),
  rule('unknown-value', unknownValues),
  rule('past-date', pastDate),
  rule('wildcard-in-equals', wildcardInEquals),
  rule('session-in-principal-arn', sessionInPrincipalArn),
  rule('for-all-values-without-null', forAllValuesWithoutNull),
  rule('set-operator-on-single-value', setOperatorOnSingleValue),
  rule('multivalued-without-set-operator', multivaluedWithoutSetOperator),
  { name: 'variable-in-2008-10-17', find: variableInOldVersion },
  rule('variable-without-effect', variableWithoutEffect),
  { name: 'unknown-variable', find: unknownVariables },
  { name: 'contradictory-conditions', find: contradictions },
]

/** @param find what follows "statement N" for a condition */
function rule(name: string, find: (asked: Asked) => readonly string[] | string | undefined): StatementRule {
  return {
    name,
    find: (statement, subject) =>
      statement.conditions.flatMap(condition => {
        const written = findOperator(condition.operator)
        if (!written) return []
        return find({ condition, written, key: findKey(condition.key, subject.vocabulary), statement, subject }) ?? []
      }),
  }
}

/** What a condition is for requests without its key, whatever other keys they have. */
function withoutKey({ condition, statement, subject }: Asked): string {
  const holds = holdsWithoutKey(condition, statement.effect, subject.document.version)
  return holds ? 'the condition always holds' : 'the condition never holds'
}

function unknownKey(asked: Asked): string | undefined {
  const { condition, key, subject } = asked
  // Keys of other services belong to their actions.
  const isForeign =
    !/^aws:/i.test(condition.key) && !asciiLowerCase(condition.key).startsWith(subject.vocabulary.prefix)
  if (key || (isForeign && isForOthers(asked)) || isClaim(asked)) return undefined
  return `asks for ${condition.key}, which is not a condition key of these actions: ${withoutKey(asked)}`
}

/** Whether the key is a claim of a token, of a provider that the statement names. */
function isClaim({ condition, statement }: Asked): boolean {
  const key = asciiLowerCase(condition.key)
  return issuersOf(statement).some(issuer => key.startsWith(`${issuer}:`) && key.length > issuer.length + 1)
}

/** Whether the condition may be meant for requests to other services. */
function isForOthers({ statement, subject }: Asked): boolean {
  return subject.kind === 'identity' && statement.coversOthers
}

/** Condition keys of a service that calls for itself. */
const ofServicesOnly = /^aws:(?:SourceAccount|SourceArn|PrincipalServiceName|PrincipalServiceNamesList)$/

/** What is for services only is a finding of its own. */
function absentKey(asked: Asked): string | undefined {
  const { condition, key, statement } = asked
  const { aws = [], services = [] } = statement.principals ?? {}
  if (key && ofServicesOnly.test(key.name) && services.length === 0 && !aws.includes('*') && !isForOthers(asked)) {
    return `asks for ${condition.key}, which only requests of services have: ${withoutKey(asked)}`
  }
  if (!key?.absent || isForOthers(asked) || (aws.length === 0 && services.length > 0)) return undefined
  const reason = typeof key.absent === 'string' ? `, as ${key.absent}` : ''
  return `asks for ${condition.key}, which no request has here${reason}: ${withoutKey(asked)}`
}

function constantKey(asked: Asked): string | undefined {
  const { condition, key, statement, subject } = asked
  const { constant } = key ?? {}
  if (constant === undefined || isForOthers(asked)) return undefined
  const { holds } = compileCondition(condition, statement.effect, subject.document.version)
  const outcomes = [[constant], undefined].map(values => holds(() => values))
  if (outcomes[0] !== outcomes[1]) return undefined
  return `asks for ${condition.key}, which is ${constant} or absent in every request here: the condition ${outcomes[0] ? 'always' : 'never'} holds`
}

function keyOfOtherActions(asked: Asked): string | undefined {
  const { condition, key, statement } = asked
  if (key?.actions === undefined || key.absent || statement.coversOthers) return undefined
  if (statement.covers.size === 0 || key.actions.some(action => statement.covers.has(action))) return undefined
  return `asks for ${condition.key}, which none of its actions has: ${withoutKey(asked)}`
}

/** Operators of numbers, dates, addresses and booleans, on keys of another type. Members of families may hold anything. */
function typeMismatch({ condition, written, key }: Asked): string | undefined {
  if (!key || /[:/]$/.test(key.name)) return undefined
  const [, family] = /^(?:Not)?(Numeric|Date|IpAddress|Bool|Binary)/.exec(written.operator.name) ?? []
  const fitting: Readonly<Record<string, readonly string[]>> = {
    Numeric: ['Numeric', 'Date'],
    Date: ['Date', 'Numeric'],
    IpAddress: ['IPAddress'],
    Bool: ['Bool'],
    Binary: [],
  }
  if (family === undefined || fitting[family]!.includes(key.type)) return undefined
  return `compares ${condition.key} with ${written.operator.name}, but its type is ${key.type}`
}

function impossibleValues({ condition, written, key }: Asked): readonly string[] {
  const { comparison, name } = written.operator
  const wrong = condition.values.filter(value => !comparison.accepts(value))
  const found = wrong.map(value => `compares ${condition.key} with "${value}", which ${name} cannot match`)
  if (condition.values.length === 0) return [...found, `compares ${condition.key} with no value`]
  const ranges = key?.type === 'IPAddress' && name.startsWith('String') ? condition.values : []
  return [
    ...found,
    ...ranges
      .filter(value => value.includes('/'))
      .map(value => `compares ${condition.key} with the text "${value}": use IpAddress for a range`),
  ]
}

/** Values of an enumeration, such as that of key specs, that do not exist. */
function unknownValues({ condition, written, key, statement, subject }: Asked): readonly string[] {
  const { document, vocabulary } = subject
  const possible = key && vocabulary.possibleValues[key.name]
  if (!possible || !/^String/.test(written.operator.name)) return []
  const matches = (value: string) => {
    const one = { operator: written.operator.name.replace('Not', ''), key: condition.key, values: [value] }
    const { holds } = compileCondition(one, statement.effect, document.version)
    return value.includes('${') || possible.some(known => holds(() => [known]))
  }
  const unknown = condition.values.filter(value => !matches(value))
  return unknown.map(value => `compares ${condition.key} with "${value}", which is none of its values`)
}

/** A condition on the time of the request that holds neither now nor later. */
function pastDate({ condition, written, statement, subject }: Asked): string | undefined {
  const { document, now } = subject
  if (!/^aws:(currenttime|epochtime)$/.test(asciiLowerCase(condition.key))) return undefined
  if (!/^(Date|Numeric)/.test(written.operator.name) || written.set !== undefined) return undefined
  const { holds } = compileCondition(condition, statement.effect, document.version)
  const given = condition.values.map(readDate).filter(time => time !== undefined && time > now)
  const times = [now, ...given.flatMap(time => [time! - 1000, time!, time! + 1000])]
  if (times.some(time => time >= now && holds(() => [String(Math.floor(time / 1000))]))) return undefined
  return `asks for a time that is over: ${condition.key} with ${written.operator.name}`
}

/** `${*}` stands for the character itself. */
function wildcardInEquals({ condition, written }: Asked): readonly string[] {
  if (!/^String(Not)?Equals/.test(written.operator.name)) return []
  const literal = condition.values.filter(value => /[*?]/.test(value.replace(/\$\{[^}]*\}/g, '')))
  return literal.map(value => `compares ${condition.key} with "${value}": only StringLike and ArnLike have wildcards`)
}

/** IAM User Guide, "aws:PrincipalArn". */
function sessionInPrincipalArn({ condition }: Asked): readonly string[] {
  if (asciiLowerCase(condition.key) !== 'aws:principalarn') return []
  const sessions = condition.values.filter(value => value.includes(':assumed-role/'))
  return sessions.map(value => `compares aws:PrincipalArn with ${value}, but for a session it is the ARN of the role`)
}

function forAllValuesWithoutNull({ condition, written, key: known, statement }: Asked): string | undefined {
  if (written.set !== 'ForAllValues' || statement.effect === 'Deny') return undefined
  if (!statement.coversOthers && [...statement.covers].every(action => known?.required.includes(action)))
    return undefined
  const key = asciiLowerCase(condition.key)
  const isGuard = (other: Condition) => {
    if (asciiLowerCase(other.key) !== key) return false
    const operator = findOperator(other.operator)
    if (operator?.set === 'ForAnyValue') return !operator.ifExists
    return operator?.operator.name === 'Null' && !other.values.some(value => asciiLowerCase(value) === 'true')
  }
  if (statement.conditions.some(isGuard)) return undefined
  return `allows requests without ${condition.key}, too: ForAllValues holds without values; add "Null": {"${condition.key}": "false"}`
}

function setOperatorOnSingleValue({ condition, written, key }: Asked): string | undefined {
  if (written.set === undefined || !key || key.type === 'ArrayOfString') return undefined
  return `uses ${written.set} with ${condition.key}, which has one value: leave it out`
}

function multivaluedWithoutSetOperator({ condition, written, key }: Asked): string | undefined {
  if (written.set !== undefined || key?.type !== 'ArrayOfString' || written.operator.name === 'Null') return undefined
  return `compares ${condition.key}, which has several values, without ForAllValues or ForAnyValue`
}

function variableInOldVersion(statement: Studied, { document }: Subject): readonly string[] {
  if (document.version === '2012-10-17') return []
  const variables = textsWithVariables(statement).filter(value => value.includes('${'))
  return variables.map(value => `has "${value}", which is ordinary text before version 2012-10-17`)
}

/** Values in which a policy variable may stand. */
function textsWithVariables({ resources, conditions }: Studied): readonly string[] {
  const values = conditions.filter(({ operator }) => findOperator(operator)?.operator.comparison.template)
  return [...resources.values, ...values.flatMap(condition => condition.values)]
}

function variableWithoutEffect({ condition, written, subject }: Asked): readonly string[] {
  if (written.operator.comparison.template || subject.document.version === '2008-10-17') return []
  const variables = condition.values.filter(value => value.includes('${'))
  return variables.map(
    value => `compares ${condition.key} with "${value}", but ${written.operator.name} has no variables`,
  )
}

function unknownVariables(statement: Studied, { document, vocabulary }: Subject): readonly string[] {
  const { version } = document
  return textsWithVariables(statement).flatMap(value => {
    const template = parseTemplate(value, { version, wildcards: false })
    const unknown = template.filter(isVariable).filter(({ name, fallback }) => {
      const key = findKey(name, vocabulary)
      return fallback === undefined && (key === undefined || key.absent || key.type === 'ArrayOfString')
    })
    const found = unknown.map(({ name }) => `never applies: \${${name}} has no value here, and no default`)
    const open = template.some(part => typeof part === 'string' && part.includes('${'))
    return version === '2012-10-17' && open ? [...found, `has "${value}", in which \${ begins no variable`] : found
  })
}
