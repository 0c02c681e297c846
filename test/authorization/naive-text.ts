/** Policies as they stand in JSON, and how the naive evaluator reads their texts. */

/** Condition keys of a request, each with its values. */
export type Context = Readonly<Record<string, readonly string[]>>

export interface Statement {
  readonly Sid?: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal?: Principals
  readonly NotPrincipal?: Principals
  readonly Action?: OneOrMore<string>
  readonly NotAction?: OneOrMore<string>
  readonly Resource?: OneOrMore<string>
  readonly NotResource?: OneOrMore<string>
  /** Operator -> condition key -> values. */
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, OneOrMore<string | boolean | number>>>>>
}

export interface Policy {
  readonly Version?: '2008-10-17' | '2012-10-17'
  readonly Id?: string
  readonly Statement: OneOrMore<Statement>
}

export type OneOrMore<T> = T | readonly T[]
export type Principals = '*' | Readonly<Record<string, OneOrMore<string>>>

/** A character that stands for the one escaped in it, and is none of a policy. */
const escaped: Readonly<Record<string, string>> = {
  '*': '\u{f0001}',
  '?': '\u{f0002}',
  $: '\u{f0003}',
  ':': '\u{f0004}',
}

/**
 * The text of a policy with its variables replaced. Their `*` and `?` are escaped: they match only themselves; so are their colons: they begin no part of
 * an ARN. Undefined if one has no value.
 *
 * IAM, Variables and tags: only in version 2012-10-17; a key of several values is no variable; a default, in single
 * quotes, is for an absent key.
 */
export function substitute(text: string, { Version }: Policy, context: Context): string | undefined {
  if (Version !== '2012-10-17') return text
  let isResolved = true
  const substituted = text.replace(/\$\{([^}]*)\}/g, (written, inside: string) => {
    if (/^[*?$]$/.test(inside)) return escaped[inside]!
    const [, name, , standby] = /^([^,${]+)(, *'(.*)')?$/.exec(inside) ?? []
    if (name === undefined) return written
    const values = valuesOf(name, context)
    const value = values.length > 1 ? undefined : (values[0] ?? standby)
    isResolved &&= value !== undefined
    return (value ?? '').replace(/[*?:]/g, char => escaped[char]!)
  })
  return isResolved ? substituted : undefined
}

/** IAM, Condition: names of condition keys are case-insensitive. None if the key is absent; a key without values is absent. */
export function valuesOf(name: string, context: Context): readonly string[] {
  return Object.entries(context).flatMap(([key, values]) => (key.toLowerCase() === name.toLowerCase() ? values : []))
}

/** IAM, Resource, Using wildcards: `*` is any characters, `?` is any one. */
export function glob(pattern: string, flags = ''): RegExp {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${unescaped(source, char => (char === ':' ? char : `\\${char}`))}$`, `su${flags}`)
}

/** The text with its escaped characters as they are, or as they are to be written. */
export function unescaped(text: string, written = (char: string) => char): string {
  return Object.entries(escaped).reduce((done, [char, standIn]) => done.replaceAll(standIn, written(char)), text)
}

export function listOf<T>(value: OneOrMore<T>): readonly T[] {
  return Array.isArray(value) ? value : [value as T]
}
