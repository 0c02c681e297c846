import type { Principal } from '../../model/identities/principal.ts'
import type { Tag } from '../../model/keys/key.ts'
import type { PrincipalRow } from './database.ts'
import { table } from './table.ts'

export const principals = table<Principal, PrincipalRow>({
  name: 'principals',
  primaryKey: ['arn'],
  identity: principal => principal.arn,
  toRow: principal => ({
    arn: principal.arn,
    account: principal.account,
    type: principal.type,
    name: principal.name,
    principal_id: principal.principalId,
    policies: JSON.stringify(principal.policies),
    permissions_boundary: principal.permissionsBoundary ?? null,
    tags: JSON.stringify(principal.tags),
    revision: principal.revision,
  }),
  fromRow: row => ({
    arn: row.arn,
    account: row.account,
    type: row.type,
    name: row.name,
    principalId: row.principal_id,
    policies: JSON.parse(row.policies) as string[],
    permissionsBoundary: row.permissions_boundary ?? undefined,
    tags: JSON.parse(row.tags) as Tag[],
    revision: row.revision,
  }),
})
