import type { Noun, Records } from '../storage.ts'
import { accessKeys } from './access-keys.ts'
import { accounts } from './accounts.ts'
import { aliases } from './aliases.ts'
import { customKeyStores } from './custom-key-stores.ts'
import { destructions } from './destructions.ts'
import { grants } from './grants.ts'
import { groups } from './groups.ts'
import { keys } from './keys.ts'
import { managedPolicies } from './managed-policies.ts'
import { oidcProviders } from './oidc-providers.ts'
import { principals } from './principals.ts'
import { services } from './services.ts'
import { spareKeys } from './spare-keys.ts'
import { systemKeys } from './system-keys.ts'
import type { RecordKey, Table } from './table.ts'
import { wrappingKeys } from './wrapping-keys.ts'
import { xksKeys } from './xks-keys.ts'
import { xksPrefixes } from './xks-prefixes.ts'

/** The table of each noun. */
export const tables: { readonly [N in Noun]: Table<Records[N]> } = {
  keys,
  aliases,
  grants,
  accounts,
  managedPolicies,
  groups,
  oidcProviders,
  principals,
  services,
  accessKeys,
  systemKeys,
  spareKeys,
  wrappingKeys,
  customKeyStores,
  destructions,
  xksPrefixes,
  xksKeys,
}

export function keyOf<N extends Noun>(noun: N, record: Records[N]): RecordKey {
  return (tables[noun] as Table<Records[N]>).key(record)
}

/** Identifies a record within its noun. */
export function identityOf(key: RecordKey): string {
  return key.join('/')
}
