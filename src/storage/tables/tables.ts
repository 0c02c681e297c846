import type { Change, Noun, Records } from '../storage.ts'
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
import type { Table } from './table.ts'
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

/** Identifies the record of a change within its noun. */
export function identityOf({ noun, record }: Change): string {
  return (tables[noun] as Table<Records[typeof noun]>).identity(record)
}
