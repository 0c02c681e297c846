import type { ManagedPolicy } from '../../model/identities/policy.ts'
import type { ManagedPolicyRow } from './database.ts'
import { table } from './table.ts'

export const managedPolicies = table<ManagedPolicy, ManagedPolicyRow>({
  name: 'managed_policies',
  primaryKey: ['arn'],
  key: policy => [policy.arn],
  toRow: policy => ({
    arn: policy.arn,
    account: policy.account,
    name: policy.name,
    policy_id: policy.policyId,
    document: policy.document,
    description: policy.description ?? null,
    created_at: policy.createdAt,
    owner: policy.owner ?? null,
    revision: policy.revision,
  }),
  fromRow: row => ({
    arn: row.arn,
    account: row.account,
    name: row.name,
    policyId: row.policy_id,
    document: row.document,
    description: row.description ?? undefined,
    createdAt: row.created_at,
    owner: row.owner ?? undefined,
    revision: row.revision,
  }),
})
