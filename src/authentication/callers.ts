import { principalIn, sessionArn } from '../model/arn.ts'
import type { AccessKey } from '../model/identities/access-key.ts'
import type { Caller } from '../model/identities/caller.ts'
import type { Principal } from '../model/identities/principal.ts'
import { type Signer, unrecognizedClient } from './sigv4.ts'

/**
 * Finds the caller behind an access key. Throws UnrecognizedClient if its principal is gone.
 *
 * @param principal finds one by its ARN. Records of principals and access keys are replaced when they change, never modified
 */
export function callerFinder(principal: (arn: string) => Principal | undefined): (signer: Signer) => Caller {
  /** The last of each access key. */
  const known = new WeakMap<AccessKey, { readonly of: Principal; readonly caller: Caller }>()
  return ({ accessKey, region }) => {
    const of = principal(accessKey.principalArn)
    if (of === undefined) throw unrecognizedClient()
    const last = known.get(accessKey)
    if (last?.of === of && last.caller.region === region) return last.caller
    const caller = callerOf(of, accessKey, region)
    known.set(accessKey, { of, caller })
    return caller
  }
}

/** The caller that a principal is in a region, by one of its access keys. Throws UnrecognizedClient for a role without a session. */
export function callerOf(
  principal: Principal,
  { id, session }: Pick<AccessKey, 'id' | 'session'>,
  region: string,
): Caller {
  const { account, name, principalId, policies, permissionsBoundary, tags } = principal
  const arn = principalIn(region, principal.arn)
  const common = { account, policies, permissionsBoundary, tags, accessKeyId: id, region }
  if (principal.type === 'user') return { ...common, type: 'user', arn, principalId, userName: name }
  // Roles have no access keys, only their sessions do.
  if (session === undefined) throw unrecognizedClient()
  return {
    ...common,
    type: 'assumedRole',
    arn: sessionArn(arn, session.name),
    principalId: `${principalId}:${session.name}`,
    roleArn: arn,
    roleName: name,
    sessionName: session.name,
    sessionPolicies: session.policies,
    issuedAt: session.issuedAt,
  }
}
