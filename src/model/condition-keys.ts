import { asciiLowerCase } from './ascii.ts'

/** Condition keys as data: what a policy may ask about a request, and how a value is computed when it does. */

/** IAM User Guide, "Actions, resources, and condition keys for AWS services". Only an `ArrayOfString` has several values. */
export type ConditionKeyType = 'String' | 'Bool' | 'Numeric' | 'Date' | 'ARN' | 'IPAddress' | 'ArrayOfString'

/** Undefined, or no values: the request does not have the key. */
export type ConditionValue = string | number | boolean | readonly string[] | undefined

/**
 * Condition keys by name. A name that ends with `:` or `/` is that of a family, such as `aws:PrincipalTag/`.
 *
 * @template S what the values are computed from
 */
export type ConditionKeys<S> = Readonly<Record<string, ConditionKey<S>>>

/** @param rest of a member of a family: what follows the name of the family, in lower case */
export type ConditionKey<S> = (subject: S, rest: string) => ConditionValue

/** @param name in lower case: names are case-insensitive */
export function conditionValues<S>(keys: ConditionKeys<S>, name: string, subject: S): readonly string[] | undefined {
  const { named, families } = lookupOf(keys)
  const key = named.get(name)
  if (key) return listOf(key(subject, ''))
  for (const [prefix, member] of families) {
    if (name.startsWith(prefix)) return listOf(member(subject, name.slice(prefix.length)))
  }
  return undefined
}

type Entry = readonly [name: string, value: string]

/** By what they were read from, as a policy may ask for many members of a family. */
const valuesBySource = new WeakMap<object, ReadonlyMap<string, readonly string[]>>()

/**
 * A member of a family: the values of all entries of that name. Several, if names of a request differ in case only.
 *
 * @param source the entries are read from it once, so it must not change
 */
export function memberOf<T extends object>(
  source: T | undefined,
  entriesOf: (source: T) => readonly Entry[],
  rest: string,
): readonly string[] | undefined {
  if (!source) return undefined
  let values = valuesBySource.get(source)
  if (!values) {
    const entries = Map.groupBy(entriesOf(source), ([name]) => asciiLowerCase(name))
    values = new Map(Array.from(entries, ([name, same]) => [name, same.map(([, value]) => value)]))
    valuesBySource.set(source, values)
  }
  return values.get(rest)
}

interface Lookup {
  readonly named: ReadonlyMap<string, ConditionKey<never>>
  readonly families: readonly (readonly [prefix: string, key: ConditionKey<never>])[]
}

const lookups = new WeakMap<ConditionKeys<never>, Lookup>()

function lookupOf<S>(keys: ConditionKeys<S>) {
  let lookup = lookups.get(keys)
  if (!lookup) {
    const entries = Object.entries(keys).map(([name, key]) => [asciiLowerCase(name), key] as const)
    const isFamily = (name: string) => /[:/]$/.test(name)
    lookup = {
      named: new Map(entries.filter(([name]) => !isFamily(name))),
      families: entries.filter(([name]) => isFamily(name)),
    }
    lookups.set(keys, lookup)
  }
  return lookup as {
    named: ReadonlyMap<string, ConditionKey<S>>
    families: readonly (readonly [string, ConditionKey<S>])[]
  }
}

function listOf(value: ConditionValue): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'object') return [String(value)]
  return value.length > 0 ? value : undefined
}

/** A condition key of an API, as its documentation lists it. */
export interface DocumentedConditionKey {
  /** Ends with `:` or `/` if it is that of a family. */
  readonly name: string
  readonly type: ConditionKeyType
  /** Whose requests can have it; without the prefix of the API. */
  readonly actions: readonly string[]
  /** Why no request has it here. */
  readonly absent?: string
}

/** A row of a table of them. */
export function documentedConditionKey(
  name: string,
  type: ConditionKeyType,
  actions: readonly string[],
  absent?: string,
): DocumentedConditionKey {
  return { name, type, actions, ...(absent !== undefined && { absent }) }
}
