/** The attributes that show that key material was generated on the HSM and cannot leave it. */
import type { Custody } from '../../model/keys/key.ts'

/** PKCS#11 v2.40, table 27. */
const required: Required<Custody> = {
  sensitive: true,
  extractable: false,
  alwaysSensitive: true,
  neverExtractable: true,
  local: true,
}

/** Attributes with another value than required. An attribute that the HSM does not report is no fault. */
export function custodyFaults({ local = required.local, ...told }: Custody): readonly (keyof Custody)[] {
  const custody: Custody = { ...told, local }
  const names = Object.keys(required) as (keyof Custody)[]
  return names.filter(name => custody[name] !== required[name])
}
