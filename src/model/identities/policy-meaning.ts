/**
 * What a policy document means, apart from how it is written: the order of members, statements, actions and values, and whether a single
 * value stands in a list, make no difference. IAM User Guide, "Grammar of the IAM JSON policy language".
 */

/** A policy document, in which a number that would be written in another way afterwards is its text: conditions compare it as that. @param text JSON */
export function policyDocument(text: string): Record<string, unknown> {
  const asWritten: Reviver = (_name, value, { source }) => {
    return typeof value === 'number' && String(value) !== source ? source : value
  }
  return JSON.parse(text, asWritten as Parameters<JSON['parse']>[1]) as Record<string, unknown>
}

/** With the source text of what is no object or array (ECMAScript proposal "JSON.parse source text access", in Node.js since 21). */
type Reviver = (name: string, value: unknown, context: { readonly source?: string }) => unknown

/** Equal for policies of the same meaning. @param text JSON */
export function policyMeaning(text: string): string {
  const { Statement = [], ...rest } = policyDocument(text)
  const statements = list(Statement).map(statementMeaning)
  return JSON.stringify({ ...sorted(rest, String), Statement: [...new Set(statements)].sort() })
}

/** Statements that only one of two policies has, by their Sids or positions. @param before, after JSON */
export function changedStatements(before: string, after: string): readonly string[] {
  const [old, now] = [before, after].map(namedStatements) as [Map<string, string>, Map<string, string>]
  const meanings = (statements: Map<string, string>) => new Set(statements.values())
  const [oldMeanings, newMeanings] = [meanings(old), meanings(now)]
  const added = [...now].filter(([, meaning]) => !oldMeanings.has(meaning)).map(([name]) => name)
  const removed = [...old].filter(([, meaning]) => !newMeanings.has(meaning)).map(([name]) => name)
  return [
    ...added.map(name => (removed.includes(name) ? `statement ${name} changed` : `statement ${name} added`)),
    ...removed.filter(name => !added.includes(name)).map(name => `statement ${name} removed`),
  ]
}

/** Meanings by Sid, or by position from 1. */
function namedStatements(text: string): Map<string, string> {
  const { Statement = [] } = policyDocument(text)
  return new Map(
    list(Statement).map((statement, index) => {
      const { Sid } = (statement ?? {}) as { readonly Sid?: string }
      return [Sid ? `"${Sid}"` : `${index + 1}`, statementMeaning(statement)]
    }),
  )
}

function statementMeaning(statement: unknown): string {
  if (typeof statement !== 'object' || statement === null) return JSON.stringify(statement)
  const { Action, NotAction, Resource, NotResource, Principal, NotPrincipal, Condition, ...rest } =
    statement as Readonly<Record<string, unknown>>
  const lowerCase = (value: unknown) => String(value).toLowerCase()
  return JSON.stringify({
    ...sorted(rest, String),
    Action: values(Action, lowerCase),
    NotAction: values(NotAction, lowerCase),
    Resource: values(Resource, String),
    NotResource: values(NotResource, String),
    Principal: principals(Principal),
    NotPrincipal: principals(NotPrincipal),
    Condition: conditions(Condition),
  })
}

function principals(named: unknown): unknown {
  return typeof named === 'object' && named !== null ? sorted(named, value => values(value, String)) : named
}

function conditions(written: unknown): unknown {
  if (typeof written !== 'object' || written === null) return written
  return sorted(written, byKey => sorted(byKey as object, value => values(value, String)))
}

function sorted(object: object, meaning: (value: unknown) => unknown): object {
  const members = Object.entries(object).sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(members.map(([name, value]) => [name, meaning(value)]))
}

function values(written: unknown, meaning: (value: unknown) => string): readonly string[] | undefined {
  return written === undefined ? undefined : [...new Set(list(written).map(meaning))].sort()
}

function list(written: unknown): readonly unknown[] {
  return Array.isArray(written) ? written : [written]
}
