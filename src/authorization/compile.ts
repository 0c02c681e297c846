import { Failure } from '../errors.ts'
import { asciiLowerCase } from '../model/ascii.ts'
import type { Matcher } from './automaton.ts'
import { type CompiledCondition, compileCondition } from './conditions.ts'
import { detailed, type Names, type PolicyKind, parsePolicy, type Statement } from './grammar.ts'
import { compilePatterns, piecesOf } from './pattern.ts'
import { compilePrincipals, type PrincipalIds, type PrincipalMatcher } from './principals.ts'
import type { AccessRequest } from './request.ts'
import {
  compileTemplates,
  isVariable,
  parseTemplate,
  resolve,
  type Template,
  type TemplateMatcher,
  type Variable,
  type Version,
} from './variables.ts'

/** A policy, made ready to be matched with requests. */
export interface CompiledPolicy {
  /** In the order of the document. */
  readonly statements: readonly CompiledStatement[]
  readonly denies: readonly CompiledStatement[]
  readonly allows: readonly CompiledStatement[]
  /** Why it cannot be read, in which case it denies everything; undefined if it can be. */
  readonly unreadable: string | undefined
}

export interface CompiledStatement {
  readonly statement: Statement
  readonly action: Matcher
  /** Absent in identity-based policies. */
  readonly principal: PrincipalMatcher | undefined
  readonly resource: TemplateMatcher
  /** Variables of Resource and Condition: the statement does not match unless each has a value. */
  readonly variables: readonly { readonly element: 'Resource' | 'Condition'; readonly variable: Variable }[]
  /** Of a variable. */
  readonly longestValue: number
  readonly conditions: readonly CompiledCondition[]
}

/** Characters that all variables of a policy may stand for, which bounds the time that the policy takes. */
const longestValues = 32_768

/** The policies that were compiled last, oldest first: the same few texts are used by every request. */
const compiled: Record<PolicyKind, Map<string, CompiledPolicy>> = {
  resource: new Map(),
  trust: new Map(),
  identity: new Map(),
}
/** Characters of each kind. A compiled policy takes up to 120 times the memory of its text: 360 MB in all at worst. */
const rememberedCharacters = 1_000_000
const remembered = { resource: 0, trust: 0, identity: 0 }

/** A stored policy. Never throws: one that cannot be read denies everything, as nobody knows what it denies. */
export function compilePolicy(text: string, kind: PolicyKind): CompiledPolicy {
  const known = compiled[kind].get(text)
  if (known) return known
  const policy = compile(text, kind)
  remembered[kind] += text.length
  for (const oldest of compiled[kind].keys()) {
    if (remembered[kind] <= rememberedCharacters) break
    compiled[kind].delete(oldest)
    remembered[kind] -= oldest.length
  }
  compiled[kind].set(text, policy)
  return policy
}

function compile(text: string, kind: PolicyKind): CompiledPolicy {
  try {
    const { version, statements } = parsePolicy(text, kind)
    const longestValue = Math.floor(longestValues / text.split('${').length)
    const all = statements.map(statement => compileStatement(statement, version, longestValue, kind))
    const having = (effect: Statement['effect']) => all.filter(({ statement }) => statement.effect === effect)
    return { statements: all, denies: having('Deny'), allows: having('Allow'), unreadable: undefined }
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown
    return { statements: [], denies: [], allows: [], unreadable: detailed(thrown) }
  }
}

function compileStatement(
  statement: Statement,
  version: Version,
  longestValue: number,
  kind: PolicyKind,
): CompiledStatement {
  const { effect, principals, actions, resources } = statement
  const conditions = statement.conditions.map(condition => compileCondition(condition, effect, version))
  const templates = resources.values.map(value => parseTemplate(value, { version, wildcards: true }))
  const inResource = templates.flatMap(template => template.filter(isVariable))
  const inConditions = conditions.flatMap(({ variables }) => variables)
  return {
    statement,
    action: compileActions(actions),
    principal: principals && compilePrincipals(principals, effect, kind),
    resource: compileResources(resources.negated, templates),
    variables: [
      ...inResource.map(variable => ({ element: 'Resource', variable }) as const),
      ...inConditions.map(variable => ({ element: 'Condition', variable }) as const),
    ],
    longestValue,
    conditions,
  }
}

/** For an action in lower case. An element that is empty, as AWS once accepted, applies to nothing. */
function compileActions({ negated, values }: Names): Matcher {
  const matches = compilePatterns(values.map(value => piecesOf(asciiLowerCase(value))))
  return negated ? action => !matches(action) : matches
}

function compileResources(negated: boolean, templates: readonly Template[]): TemplateMatcher {
  const matcher = compileTemplates(templates)
  if (!negated) return matcher
  return context => {
    const matches = matcher(context)
    return resource => !matches(resource)
  }
}

/** A request as the statements of one policy are matched with it. */
export interface Question {
  readonly request: AccessRequest
  /** In lower case. */
  readonly action: string
  readonly ids: PrincipalIds
  /** Whether the caller has a permissions boundary. */
  readonly bounded: boolean
  /** What was found already: for an explanation, which asks for each statement several times. */
  readonly found?: Map<CompiledStatement, Mismatch | undefined>
}

/** Why a statement does not match. */
export type Mismatch = 'Action' | 'Principal' | 'Resource' | CompiledStatement['variables'][number] | CompiledCondition

/** The first element of a statement that does not match; undefined if the statement applies to the request. */
export function mismatch(compiled: CompiledStatement, question: Question): Mismatch | undefined {
  const { found } = question
  if (found?.has(compiled)) return found.get(compiled)
  const first = firstMismatch(compiled, question)
  found?.set(compiled, first)
  return first
}

function firstMismatch(compiled: CompiledStatement, question: Question): Mismatch | undefined {
  const { resource, context, principal } = question.request
  if (!compiled.action(question.action)) return 'Action'
  if (compiled.principal && !compiled.principal(principal, question.ids, question.bounded)) return 'Principal'
  for (const use of compiled.variables) {
    const value = resolve(use.variable, context)
    if (value === undefined) return use
    // Like an operator that is not known, a value that is too long makes no policy wider.
    if (value.length > compiled.longestValue) return compiled.statement.effect === 'Deny' ? undefined : use
  }
  if (!compiled.resource(context)(resource)) return 'Resource'
  for (const condition of compiled.conditions) if (!condition.holds(context)) return condition
  return undefined
}
