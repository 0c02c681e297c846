/** The attributes that show where key material comes from, and how it can leave the HSM, if at all. */
import type { Custody } from '../../model/keys/key.ts'

/** How a key came onto the HSM, and may leave it, according to its record. */
export type RecordedCustody = Pick<Custody, 'imported' | 'wrapWithTrusted'>

/** PKCS#11 v2.40, table 27. */
const generated: Partial<Custody> = { alwaysSensitive: true, local: true }

/** What the key was before its import, no attribute can tell: `alwaysSensitive` and `neverExtractable` prove nothing. */
const imported: Partial<Custody> = { local: false }

/** Exactly what is on record: an extractable key is accepted only if it can be wrapped under trusted keys alone. */
function requiredOf(recorded: RecordedCustody): Partial<Custody> {
  const origin = recorded.imported ? imported : generated
  if (recorded.wrapWithTrusted) return { sensitive: true, extractable: true, wrapWithTrusted: true, ...origin }
  return { sensitive: true, extractable: false, ...(!recorded.imported && { neverExtractable: true }), ...origin }
}

/** Attributes with another value than required. That the HSM does not report CKA_LOCAL is no fault. */
export function custodyFaults(found: Custody, recorded: RecordedCustody = {}): readonly (keyof Custody)[] {
  const required = requiredOf(recorded)
  const names = Object.keys(required) as (keyof Custody)[]
  return names.filter(name => found[name] !== required[name] && !(name === 'local' && found.local === undefined))
}
