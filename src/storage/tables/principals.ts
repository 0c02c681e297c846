import type { Principal } from '../../model/identities/caller.ts'
import type { PrincipalRow } from './database.ts'
import { table } from './table.ts'

export const principals = table<Principal, PrincipalRow>({
  name: 'principals',
  primaryKey: ['arn'],
  identity: principal => principal.arn,
  toRow: principal => ({
    arn: principal.arn,
    account: principal.account,
    user_name: principal.userName,
    principal_id: principal.principalId,
    policies: JSON.stringify(principal.policies),
    revision: principal.revision,
  }),
  fromRow: row => ({
    arn: row.arn,
    account: row.account,
    userName: row.user_name,
    principalId: row.principal_id,
    policies: JSON.parse(row.policies) as string[],
    revision: row.revision,
  }),
})
