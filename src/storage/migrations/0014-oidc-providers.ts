/** OpenID Connect identity providers. */
import type { Migration } from './migration.ts'

export const oidcProviders: Migration = async (db, { text }) => {
  await db.schema
    .createTable('oidc_providers')
    .addColumn('arn', text, column => column.primaryKey())
    .addColumn('account', text, column => column.notNull())
    .addColumn('url', text, column => column.notNull())
    .addColumn('audiences', text, column => column.notNull())
    .addColumn('jwks_url', text)
    .addColumn('jwks_file', text)
    .addColumn('ca_file', text)
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('owner', text)
    .addColumn('revision', 'bigint', column => column.notNull())
    .execute()
}
