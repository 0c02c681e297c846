import type { OidcProvider } from '../../model/identities/oidc-provider.ts'
import type { OidcProviderRow } from './database.ts'
import { table } from './table.ts'

export const oidcProviders = table<OidcProvider, OidcProviderRow>({
  name: 'oidc_providers',
  primaryKey: ['arn'],
  key: provider => [provider.arn],
  toRow: provider => ({
    arn: provider.arn,
    account: provider.account,
    url: provider.url,
    audiences: JSON.stringify(provider.audiences),
    jwks_url: provider.jwksUrl ?? null,
    jwks_file: provider.jwksFile ?? null,
    ca_file: provider.caFile ?? null,
    created_at: provider.createdAt,
    owner: provider.owner ?? null,
    revision: provider.revision,
  }),
  fromRow: row => ({
    arn: row.arn,
    account: row.account,
    url: row.url,
    audiences: JSON.parse(row.audiences) as string[],
    jwksUrl: row.jwks_url ?? undefined,
    jwksFile: row.jwks_file ?? undefined,
    caFile: row.ca_file ?? undefined,
    createdAt: row.created_at,
    owner: row.owner ?? undefined,
    revision: row.revision,
  }),
})
