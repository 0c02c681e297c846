/** What a rule of lint.ts looks at, and what it says. */
import { asciiLowerCase } from '../../model/ascii.ts'
import type { ConditionKeyType } from '../../model/condition-keys.ts'
import type { PolicyVocabulary } from '../../model/policy-vocabulary.ts'
import { compileCondition } from '../conditions.ts'
import { globalConditionKeyTypes, isGlobalKeyKnown } from '../global-condition-keys.ts'
import type { Condition, PolicyDocument, PolicyKind, Statement } from '../grammar.ts'
import { compilePattern, piecesOf } from '../pattern.ts'
import type { Version } from '../variables.ts'

/** A condition key, as far as it is known. */
export interface KnownKey {
  readonly name: string
  readonly type: ConditionKeyType
  /** Whose requests can have it; absent if all can. */
  readonly actions?: readonly string[]
  /** Whether no request has it here, and if it is known, why. */
  readonly absent?: string | boolean | undefined
  /** Its value in every request that has it. */
  readonly constant?: string | undefined
  /** Actions whose requests cannot be without it. */
  readonly required: readonly string[]
}

/** There are no MFA devices here. */
const constantGlobalKeys: Readonly<Record<string, string>> = { 'aws:MultiFactorAuthPresent': 'false' }

/** Undefined for one that is not documented. @param name as written */
export function findKey(name: string, vocabulary: PolicyVocabulary): KnownKey | undefined {
  const { conditionKeys, requiredKeys } = vocabulary
  const written = asciiLowerCase(name)
  const isNamed = (documented: string) => {
    const known = asciiLowerCase(documented)
    return /[:/]$/.test(known) ? written.startsWith(known) && written.length > known.length : written === known
  }
  const own = conditionKeys.find(key => isNamed(key.name))
  if (own) return { ...own, required: requiredKeys[own.name] ?? [] }
  const global = Object.keys(globalConditionKeyTypes).find(isNamed)
  if (global === undefined) return undefined
  const type = globalConditionKeyTypes[global]!
  return { name: global, type, absent: !isGlobalKeyKnown(global), constant: constantGlobalKeys[global], required: [] }
}

/** A policy, as rules see it. */
export interface Subject {
  readonly kind: PolicyKind
  readonly document: PolicyDocument
  readonly statements: readonly Studied[]
  readonly vocabulary: PolicyVocabulary
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Owner of the resource: given, or guessed. */
  readonly account: string | undefined
}

/** A statement with what several rules need. */
export interface Studied extends Statement {
  /** Actions of the vocabulary to which it applies, without the prefix. */
  readonly covers: ReadonlySet<string>
  /** Whether it may apply to actions of other APIs. */
  readonly coversOthers: boolean
}

export interface StatementRule {
  readonly name: string
  /** One sentence for each thing found, without a full stop: it begins behind "statement N". */
  find(statement: Studied, subject: Subject): readonly string[]
}

export interface PolicyRule {
  readonly name: string
  find(subject: Subject): readonly PolicyFinding[]
}

export interface PolicyFinding {
  /** Absent if it is about the policy as a whole. */
  readonly statement?: Statement
  readonly text: string
}

export function study(statement: Statement, { prefix, actions }: PolicyVocabulary): Studied {
  const { negated, values } = statement.actions
  const patterns = values.map(value => compilePattern(piecesOf(asciiLowerCase(value))))
  const covers = actions.filter(action => {
    const name = asciiLowerCase(prefix + action)
    return patterns.some(matches => matches(name)) !== negated
  })
  const coversOthers = negated || values.some(value => !asciiLowerCase(value).startsWith(prefix))
  return { ...statement, covers: new Set(covers), coversOthers }
}

/** Whether a condition is the same for every request here, as none has its key: true, false, or undefined if it depends on the request. */
export function settled(condition: Condition, { effect }: Statement, { document, vocabulary }: Subject) {
  const key = findKey(condition.key, vocabulary)
  if (key && !key.absent) return undefined
  return holdsWithoutKey(condition, effect, document.version)
}

/** The truth of a condition for requests without its key, whatever other keys they have. */
export function holdsWithoutKey(condition: Condition, effect: Statement['effect'], version: Version): boolean {
  return compileCondition(condition, effect, version).holds(() => undefined)
}

/** Accounts that the principals name as accounts. */
export function accountsIn(names: readonly string[]): readonly string[] {
  return names.flatMap(name => /^(?:arn:[^:]+:iam::)?(\d{12})(?::root)?$/.exec(name)?.[1] ?? [])
}

/** As a sentence names them. */
export function listed(names: Iterable<string>): string {
  return [...names].join(', ')
}
