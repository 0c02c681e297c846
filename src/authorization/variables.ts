import { asciiLowerCase } from '../model/ascii.ts'
import { anyButColons, anyCharacters, type Matcher, oneButColon, type Piece } from './automaton.ts'
import { compilePatterns, piecesOf } from './pattern.ts'
import type { ConditionValues } from './request.ts'

/**
 * Policy variables: IAM User Guide, "IAM policy elements: Variables and tags". `${name}` and `${name, 'default'}` stand for the value of a
 * condition key, `${*}`, `${?}` and `${$}` for these characters. What is not written like this is ordinary text.
 */

export interface Variable {
  /** Condition key, in lower case. */
  readonly name: string
  readonly fallback?: string | undefined
  /** Whether it stands within one of the first five parts of an ARN, so that a value with a colon fits nowhere. */
  readonly withinPart?: boolean
}

/** A text of a policy, taken apart once. */
export type Template = readonly (Piece | Variable)[]

/** Whether a document of this version has variables. */
export type Version = '2008-10-17' | '2012-10-17'

/** Takes time proportional to the length of the text: no two of its repetitions compete for the same characters. */
const variable = /\$\{(?:([*?$])|([^{},']+)(?:,\s*'([^']*)'\s*)?)\}/g

/** @param wildcards whether `*` and `?` are wildcards, or ordinary characters */
export function parseTemplate(
  text: string,
  { version, wildcards }: { version: Version; wildcards: boolean },
): Template {
  const ordinary = (part: string) => (part === '' ? [] : wildcards ? piecesOf(part) : [part])
  if (version === '2008-10-17') return ordinary(text)
  const parts: Template[] = []
  let end = 0
  for (const { 0: found, 1: escaped, 2: name, 3: fallback, index } of text.matchAll(variable)) {
    parts.push(ordinary(text.slice(end, index)))
    parts.push([escaped ?? { name: asciiLowerCase(name!.trim()), fallback }])
    end = index + found.length
  }
  return [...parts, ordinary(text.slice(end))].flat()
}

export function isVariable(part: Piece | Variable): part is Variable {
  return typeof part === 'object'
}

/** A template without variables, which is the same for each request. */
function isConstant(template: Template): template is readonly Piece[] {
  return !template.some(isVariable)
}

/**
 * The value of a variable in a request; undefined if it has none, so that its statement does not match: a key without default that is absent,
 * or one with several values.
 */
export function resolve({ name, fallback }: Variable, context: ConditionValues): string | undefined {
  const values = context(name)
  if (values === undefined || values.length === 0) return fallback
  return values.length === 1 ? values[0] : undefined
}

/** A value is literal: neither its wildcards nor its variables mean anything. Undefined if a variable has no value that fits. */
function substitute(template: Template, context: ConditionValues): readonly Piece[] | undefined {
  const pieces: Piece[] = []
  for (const part of template) {
    const piece = isVariable(part) ? resolveWithin(part, context) : part
    if (piece === undefined) return undefined
    pieces.push(piece)
  }
  return pieces
}

function resolveWithin(variable: Variable, context: ConditionValues): string | undefined {
  const value = resolve(variable, context)
  return variable.withinPart && value?.includes(':') ? undefined : value
}

/** The values of an element, some with variables: ready to be matched once it is known in which request. */
export type TemplateMatcher = (context: ConditionValues) => Matcher

/** @param fold applied to the literal text of the templates */
export function compileTemplates(templates: readonly Template[], fold?: (text: string) => string): TemplateMatcher {
  const folded = (pieces: readonly Piece[]) =>
    fold ? pieces.map(piece => (typeof piece === 'string' ? fold(piece) : piece)) : pieces
  const matches = compilePatterns(templates.filter(isConstant).map(folded))
  const withVariables = templates.filter(template => !isConstant(template))
  if (withVariables.length === 0) return () => matches
  return context => {
    const substituted = withVariables.map(template => substitute(template, context))
    const matchesSubstituted = compilePatterns(substituted.filter(pieces => pieces !== undefined).map(folded))
    return text => matches(text) || matchesSubstituted(text)
  }
}

const partsOfArn = 6

/**
 * A template whose wildcards and variables stand for nothing beyond their part of an ARN, of which the last one has all further colons;
 * undefined for fewer than six parts.
 */
export function arnTemplate(template: Template): Template | undefined {
  let part = 1
  const parts = template.map(piece => {
    if (typeof piece === 'string') part += piece.split(':').length - 1
    if (part >= partsOfArn || typeof piece === 'string') return piece
    if (isVariable(piece)) return { ...piece, withinPart: true }
    return piece === anyCharacters ? anyButColons : oneButColon
  })
  return part >= partsOfArn ? parts : undefined
}
