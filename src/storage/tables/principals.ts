import type { InlinePolicy } from '../../model/identities/policy.ts'
import type { Principal } from '../../model/identities/principal.ts'
import type { Tag } from '../../model/keys/key.ts'
import type { PrincipalRow } from './database.ts'
import { table } from './table.ts'

export const principals = table<Principal, PrincipalRow>({
  name: 'principals',
  primaryKey: ['arn'],
  key: principal => [principal.arn],
  toRow: principal => ({
    arn: principal.arn,
    account: principal.account,
    type: principal.type,
    name: principal.name,
    principal_id: principal.principalId,
    inline_policies: JSON.stringify(principal.inlinePolicies),
    managed_policies: JSON.stringify(principal.managedPolicies),
    permissions_boundary: principal.permissionsBoundary ?? null,
    tags: JSON.stringify(principal.tags),
    created_at: principal.createdAt ?? null,
    sessions_revoked_before: principal.sessionsRevokedBefore ?? null,
    owner: principal.owner ?? null,
    ...ofType(principal),
    revision: principal.revision,
  }),
  fromRow: row => {
    const common = {
      arn: row.arn,
      account: row.account,
      name: row.name,
      principalId: row.principal_id,
      inlinePolicies: JSON.parse(row.inline_policies) as InlinePolicy[],
      managedPolicies: JSON.parse(row.managed_policies) as string[],
      permissionsBoundary: row.permissions_boundary ?? undefined,
      tags: JSON.parse(row.tags) as Tag[],
      createdAt: row.created_at ?? undefined,
      sessionsRevokedBefore: row.sessions_revoked_before ?? undefined,
      owner: row.owner ?? undefined,
      revision: row.revision,
    }
    if (row.type === 'user') return { ...common, type: 'user', groups: JSON.parse(row.groups) as string[] }
    return {
      ...common,
      type: 'role',
      description: row.description ?? undefined,
      trustPolicy: row.trust_policy!,
      trustPrincipals:
        row.trust_principals === null ? undefined : (JSON.parse(row.trust_principals) as Record<string, string>),
      maxSessionDuration: row.max_session_duration!,
    }
  },
})

/** The columns that only users or only roles have. */
function ofType(
  principal: Principal,
): Pick<PrincipalRow, 'groups' | 'description' | 'trust_policy' | 'trust_principals' | 'max_session_duration'> {
  if (principal.type === 'user') {
    return {
      groups: JSON.stringify(principal.groups),
      description: null,
      trust_policy: null,
      trust_principals: null,
      max_session_duration: null,
    }
  }
  const { description = null, trustPolicy, trustPrincipals, maxSessionDuration } = principal
  return {
    groups: '[]',
    description,
    trust_policy: trustPolicy,
    trust_principals: trustPrincipals ? JSON.stringify(trustPrincipals) : null,
    max_session_duration: maxSessionDuration,
  }
}
