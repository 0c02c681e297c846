/** One identity, as the commands of `strongroom identity` name and edit it. */
import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { describeIssue } from '../../schema-issue.ts'
import type { Storage } from '../../services.ts'
import { accountOf } from './accounts.ts'
import { type Entry, entrySchemas, type IdentityKind, nameSchemas } from './identity-schema.ts'
import { type IdentityRecords, type Kind, kindNames, kinds, nameOf } from './kinds.ts'
import { accountId } from './operation.ts'

export const identitySchema = z.strictObject({
  account: accountId.optional(),
  kind: z.enum(kindNames as [IdentityKind, ...IdentityKind[]]),
  name: z.string(),
})
export type IdentityName = z.infer<typeof identitySchema>

/** Throws NotFound. */
export function foundIdentity(named: IdentityName, storage: Storage): IdentityRecords[IdentityKind] {
  const account = accountOf(named, storage)
  const record = kinds[named.kind].find(account, named.name, storage)
  if (record && nameOf(record) === named.name) return record
  throw new Failure('NotFound', `account ${account} has no ${named.kind} ${named.name}`)
}

/** As it is written. */
export function entryOf(kind: IdentityKind, record: IdentityRecords[IdentityKind], storage: Storage): Entry {
  return (kinds[kind] as Kind<IdentityKind>).entry(record, storage)
}

/** Throws Validation for a name or an entry that its kind does not have. */
export function checkedEntry(kind: IdentityKind, name: string, written: unknown): Entry {
  check(nameSchemas[kind], name, `the name of the ${kind}`)
  return check(entrySchemas[kind] as z.ZodType<Entry>, written, kind)
}

function check<T>(schema: z.ZodType<T>, value: unknown, label: string): T {
  const { success, data, error } = schema.safeParse(value)
  if (success) return data
  throw new Failure('Validation', `${label}: ${describeIssue(error.issues[0]!, () => [])}`)
}

/** Durations as text, the default left out. */
export function written(entry: Entry): Record<string, unknown> {
  if (!('maxSessionDuration' in entry)) return { ...entry }
  const { maxSessionDuration, ...rest } = entry
  const minutes = maxSessionDuration / 60_000
  if (minutes === 60) return rest
  const text = minutes % 60 === 0 ? `${minutes / 60}h` : Number.isInteger(minutes) ? `${minutes}m` : `${minutes * 60}s`
  return { ...rest, maxSessionDuration: text }
}
