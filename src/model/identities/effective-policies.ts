import { awsManagedPolicy } from './aws-managed-policies.ts'
import type { Group } from './group.ts'
import type { AttachedPolicies, ManagedPolicy } from './policy.ts'
import type { Principal } from './principal.ts'

/** The policies of all accounts. */
export interface Policies {
  managedPolicy(arn: string): ManagedPolicy | undefined
  group(account: string, name: string): Group | undefined
}

/** Texts of the policies of a user or role. */
export interface EffectivePolicies {
  /** Inline, managed, and those of its groups. */
  readonly policies: readonly string[]
  readonly permissionsBoundary?: string | undefined
}

/** What is not a policy denies everything: in the place of one that is gone, as it may have denied. */
const missing = ''

export function effectivePolicies(principal: Principal, policies: Policies): EffectivePolicies {
  const { account, permissionsBoundary } = principal
  const text = (arn: string) => awsManagedPolicy(arn) ?? policies.managedPolicy(arn)?.document ?? missing
  const attached = ({ inlinePolicies, managedPolicies }: AttachedPolicies) => [
    ...inlinePolicies.map(({ document }) => document),
    ...managedPolicies.map(text),
  ]
  const groups = principal.type === 'user' ? principal.groups : []
  const ofGroups = groups.flatMap(name => {
    const group = policies.group(account, name)
    return group ? attached(group) : []
  })
  return {
    policies: [...attached(principal), ...ofGroups],
    permissionsBoundary: permissionsBoundary === undefined ? undefined : text(permissionsBoundary),
  }
}
