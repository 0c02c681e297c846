import { changedStatements, policyMeaning } from '../../model/identities/policy-meaning.ts'

type Written = Readonly<Record<string, unknown>>

/** Members that hold a policy document. */
const documents: ReadonlySet<string> = new Set(['document', 'trustPolicy'])

/** What differs between two entries of a kind, one line each. Policies are compared by what they mean. */
export function differencesOf(before: Written, after: Written): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].flatMap(name => {
    const [old, now] = [before[name], after[name]]
    if (documents.has(name)) return documentDifferences(name, old, now)
    if (Array.isArray(old ?? now)) return listDifferences(name, (old ?? []) as string[], (now ?? []) as string[])
    if (typeof (old ?? now) === 'object') return memberDifferences(name, (old ?? {}) as Written, (now ?? {}) as Written)
    return old === now ? [] : [`${name}: ${shown(old)} -> ${shown(now)}`]
  })
}

function documentDifferences(name: string, old: unknown, now: unknown): readonly string[] {
  const [before, after] = [old, now].map(document =>
    typeof document === 'string' ? document : JSON.stringify(document),
  )
  if (policyMeaning(before!) === policyMeaning(after!)) return []
  const statements = changedStatements(before!, after!)
  return statements.length === 0 ? [`${name} changed`] : statements.map(change => `${name}: ${change}`)
}

function listDifferences(name: string, old: readonly string[], now: readonly string[]): readonly string[] {
  const added = now.filter(value => !old.includes(value)).map(value => `${name}: + ${value}`)
  return [...added, ...old.filter(value => !now.includes(value)).map(value => `${name}: - ${value}`)]
}

/** Of inline policies and tags. */
function memberDifferences(name: string, old: Written, now: Written): readonly string[] {
  const members = new Set([...Object.keys(old), ...Object.keys(now)])
  return [...members].flatMap(member => {
    const label = `${name} ${member}`
    if (!Object.hasOwn(old, member)) return [`${label} added`]
    if (!Object.hasOwn(now, member)) return [`${label} removed`]
    if (name === 'inlinePolicies') return documentDifferences(label, old[member], now[member])
    return old[member] === now[member] ? [] : [`${label}: ${shown(old[member])} -> ${shown(now[member])}`]
  })
}

function shown(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value)
}
