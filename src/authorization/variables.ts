import { asciiLowerCase } from '../model/ascii.ts'
import { type Piece, piecesOf } from './pattern.ts'
import type { ConditionValues } from './request.ts'

/**
 * Policy variables: IAM User Guide, "IAM policy elements: Variables and tags". `${name}` and `${name, 'default'}` stand for the value of a
 * condition key, `${*}`, `${?}` and `${$}` for these characters. What is not written like this is ordinary text.
 */

export interface Variable {
  /** Condition key, in lower case. */
  readonly name: string
  readonly fallback?: string | undefined
}

/** A text of a policy, taken apart once. */
export type Template = readonly (Piece | Variable)[]

/** Whether a document of this version has variables. */
export type Version = '2008-10-17' | '2012-10-17'

const variable = /\$\{(?:([*?$])|([^{},']+)(?:,\s*'([^']*)')?\s*)\}/g

/** @param wildcards whether `*` and `?` are wildcards, or ordinary characters */
export function parseTemplate(
  text: string,
  { version, wildcards }: { version: Version; wildcards: boolean },
): Template {
  const ordinary = (part: string) => (part === '' ? [] : wildcards ? piecesOf(part) : [part])
  if (version === '2008-10-17') return ordinary(text)
  const template: (Piece | Variable)[] = []
  let end = 0
  for (const { 0: found, 1: escaped, 2: name, 3: fallback, index } of text.matchAll(variable)) {
    template.push(...ordinary(text.slice(end, index)))
    template.push(escaped ?? { name: asciiLowerCase(name!.trim()), fallback })
    end = index + found.length
  }
  return [...template, ...ordinary(text.slice(end))]
}

export function isVariable(part: Piece | Variable): part is Variable {
  return typeof part === 'object'
}

/** A template without variables, which is the same for each request. */
export function isConstant(template: Template): template is readonly Piece[] {
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

/** A value is literal: neither its wildcards nor its variables mean anything. Undefined if a variable has no value. */
export function substitute(template: Template, context: ConditionValues): readonly Piece[] | undefined {
  const pieces: Piece[] = []
  for (const part of template) {
    const piece = isVariable(part) ? resolve(part, context) : part
    if (piece === undefined) return undefined
    pieces.push(piece)
  }
  return pieces
}

/** The parts of an ARN template, split at its first five colons; undefined if there are fewer. A colon in a value splits nothing. */
export function arnTemplates(template: Template): readonly Template[] | undefined {
  const parts: (Piece | Variable)[][] = [[]]
  for (const piece of template) {
    if (typeof piece !== 'string') {
      parts.at(-1)!.push(piece)
      continue
    }
    const [head, ...rest] = splitAtColons(piece, arnParts - parts.length)
    parts.at(-1)!.push(head!)
    parts.push(...rest.map(text => [text]))
  }
  return parts.length === arnParts ? parts : undefined
}

const arnParts = 6

/** The six parts of an ARN; undefined for anything else. */
export function partsOfArn(arn: string): readonly string[] | undefined {
  const parts = splitAtColons(arn, arnParts - 1)
  return parts.length === arnParts ? parts : undefined
}

function splitAtColons(text: string, count: number): string[] {
  const parts = text.split(':')
  return parts.length <= count ? parts : [...parts.slice(0, count), parts.slice(count).join(':')]
}
