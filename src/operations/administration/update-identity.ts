import { z } from 'zod'
import { checkedEntry, entryOf, foundIdentity, identitySchema, written } from './identities.ts'
import { operation, targetOf } from './operation.ts'
import { IdentityPlan } from './plan.ts'

type Members = Record<string, unknown>

const edits = z.strictObject({
  /** Members with new values. */
  set: z.record(z.string(), z.unknown()).default({}),
  /** Names of members. */
  unset: z.array(z.string()).default([]),
  /** To lists and mappings. */
  add: z.record(z.string(), z.union([z.array(z.string()), z.record(z.string(), z.unknown())])).default({}),
  /** From lists and mappings: values, or names. */
  remove: z.record(z.string(), z.array(z.string())).default({}),
})

export const updateIdentity = operation({
  name: 'UpdateIdentity',
  schema: identitySchema.extend({ edits }),
  target: { find: (input, { storage }) => targetOf(foundIdentity(input, storage).arn) },
  recorded: ['account', 'kind', 'name', 'edits'],
  recordedOutput: ['differences'],
  async run({ input, storage, clock, changes }) {
    const { kind, name, edits } = input
    const record = foundIdentity(input, storage)
    const entry = checkedEntry(kind, name, edited(written(entryOf(kind, record, storage)), edits))
    const plan = new IdentityPlan(storage, clock())
    plan.put(kind, record.account, name, entry, record.owner)
    plan.commitTo(changes)
    return { differences: plan.steps.flatMap(({ differences }) => differences) }
  },
})

function edited(entry: Members, { set, unset, add, remove }: z.infer<typeof edits>): Members {
  const result: Members = { ...entry, ...set }
  for (const [member, added] of Object.entries(add)) {
    result[member] = Array.isArray(added)
      ? [...new Set([...((result[member] ?? []) as string[]), ...added])]
      : { ...(result[member] as object | undefined), ...added }
  }
  for (const [member, names] of Object.entries(remove)) result[member] = without(result[member], names)
  for (const member of unset) delete result[member]
  return Object.fromEntries(Object.entries(result).filter(([, value]) => value !== undefined))
}

function without(value: unknown, names: readonly string[]): unknown {
  if (Array.isArray(value)) return value.filter(one => !names.includes(one as string))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))
}
