/**
 * What a change concerns, as far as requests are decided by it: one key, or everybody. Used for both ends of one promise: an answer waits
 * until every gateway shows the changes that concern it, and a change is not committed if others that concern it came in between.
 */
import type { Change, Noun } from '../storage.ts'
import type { RecordKey } from '../tables/table.ts'
import { keyOf } from '../tables/tables.ts'

/** The scope of what may concern any request. The others are ARNs of keys. */
export const everybody = ''

/** Of keys: the first value of the primary key is the ARN. */
const ofKeys: ReadonlySet<Noun> = new Set(['keys', 'grants'] as const)
/** Only the HSM has to do with them. */
const ofNobody: ReadonlySet<Noun> = new Set(['systemKeys', 'spareKeys', 'wrappingKeys', 'destructions'] as const)

/** Undefined: no request is decided by such a record. */
export function scopeOf(noun: Noun, key: RecordKey): string | undefined {
  if (ofKeys.has(noun)) return key[0] as string
  return ofNobody.has(noun) ? undefined : everybody
}

/** Of a change that may forbid something: what is new forbids nothing. */
export function forbiddingScopeOf({ noun, action, record }: Change): string | undefined {
  const isNew = action === 'put' && record.revision === 1
  return isNew ? undefined : scopeOf(noun, keyOf(noun, record))
}
