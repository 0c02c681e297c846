/** The attributes that show where key material comes from, and that it cannot leave the HSM. */
import type { Custody } from '../../model/keys/key.ts'

/** PKCS#11 v2.40, table 27. */
const generated: Partial<Custody> = {
  sensitive: true,
  extractable: false,
  alwaysSensitive: true,
  neverExtractable: true,
  local: true,
}

/** What the key was before its import, no attribute can tell: `alwaysSensitive` and `neverExtractable` prove nothing. */
const imported: Partial<Custody> = { sensitive: true, extractable: false, local: false }

/** Attributes with another value than required. An attribute that the HSM does not report is no fault. */
export function custodyFaults(custody: Custody): readonly (keyof Custody)[] {
  const required = custody.imported ? imported : generated
  const names = Object.keys(required) as (keyof Custody)[]
  return names.filter(name => custody[name] !== undefined && custody[name] !== required[name])
}
