/** What a key object must be for us to say that its material was born on the HSM and cannot leave it. */
import type { Custody } from '../../model/keys/key.ts'

/** PKCS#11 v2.40, table 27. */
const required: Required<Custody> = {
  sensitive: true,
  extractable: false,
  alwaysSensitive: true,
  neverExtractable: true,
  local: true,
}

/** Names of the attributes that are not what was asked; none for a key that is in custody. What the HSM does not tell is no fault. */
export function custodyFaults({ local = required.local, ...told }: Custody): readonly (keyof Custody)[] {
  const custody: Custody = { ...told, local }
  const names = Object.keys(required) as (keyof Custody)[]
  return names.filter(name => custody[name] !== required[name])
}
