import type { Group } from '../../model/identities/group.ts'
import type { InlinePolicy } from '../../model/identities/policy.ts'
import type { GroupRow } from './database.ts'
import { table } from './table.ts'

export const groups = table<Group, GroupRow>({
  // `groups` is a keyword of SQL.
  name: 'identity_groups',
  primaryKey: ['arn'],
  key: group => [group.arn],
  toRow: group => ({
    arn: group.arn,
    account: group.account,
    name: group.name,
    group_id: group.groupId,
    inline_policies: JSON.stringify(group.inlinePolicies),
    managed_policies: JSON.stringify(group.managedPolicies),
    created_at: group.createdAt,
    owner: group.owner ?? null,
    revision: group.revision,
  }),
  fromRow: row => ({
    arn: row.arn,
    account: row.account,
    name: row.name,
    groupId: row.group_id,
    inlinePolicies: JSON.parse(row.inline_policies) as InlinePolicy[],
    managedPolicies: JSON.parse(row.managed_policies) as string[],
    createdAt: row.created_at,
    owner: row.owner ?? undefined,
    revision: row.revision,
  }),
})
