import { Failure } from '../errors.ts'
import { principalIn, sessionArn } from '../model/arn.ts'
import { asciiLowerCase } from '../model/ascii.ts'
import type { Caller } from '../model/identities/caller.ts'
import type { EffectivePolicies } from '../model/identities/effective-policies.ts'
import type { Principal } from '../model/identities/principal.ts'
import type { Principals } from '../model/identities/principals.ts'
import type { RoleSession, Session } from '../model/identities/session.ts'
import type { Tag } from '../model/keys/key.ts'
import { unrecognizedClient } from './signing-keys.ts'
import type { Signer } from './sigv4.ts'

/** All users and roles. Records, as those of access keys, are replaced when they change, never modified. */
export interface Identities {
  readonly principals: Pick<Principals, 'find' | 'withId'> & { policiesOf(principal: Principal): EffectivePolicies }
  /** Differs after each change of a principal or of a policy. */
  readonly version: () => number
}

/**
 * Finds the caller behind an access key or session. Throws UnrecognizedClient if its user or role is gone or its sessions were revoked since,
 * ExpiredToken if the session has ended.
 *
 * @param clock milliseconds since the epoch
 */
export function callerFinder({ principals, version }: Identities, clock: () => number): (signer: Signer) => Caller {
  /** The last of each access key and session. */
  const known = new WeakMap<
    Signer['credentials'],
    { readonly of: Principal; readonly version: number; readonly caller: Caller }
  >()
  return ({ credentials, region }) => {
    const isSession = 'expiresAt' in credentials
    const of = isSession ? principals.withId(credentials.principalId) : principals.find(credentials.principalArn)
    if (of === undefined) throw unrecognizedClient()
    if (isSession) checkSession(credentials, of, clock())
    const last = known.get(credentials)
    if (last?.of === of && last.version === version() && last.caller.region === region) return last.caller
    const policies = principals.policiesOf(of)
    const caller = isSession
      ? callerOf(of, policies, credentials.accessKeyId, region, credentials)
      : callerOf(of, policies, credentials.id, region)
    known.set(credentials, { of, version: version(), caller })
    return caller
  }
}

function checkSession({ issuedAt, expiresAt }: Session, principal: Principal, now: number): void {
  const { sessionsRevokedBefore = Number.NEGATIVE_INFINITY } = principal
  if (issuedAt <= sessionsRevokedBefore) throw unrecognizedClient()
  // The maximum of a role may have been lowered since.
  const end = principal.type === 'role' ? issuedAt + principal.maxSessionDuration * 1000 : expiresAt
  if (now >= Math.min(expiresAt, end))
    throw new Failure('ExpiredToken', 'The security token included in the request is expired')
}

/** What a caller needs of a session. */
type CallingSession = Pick<Session, 'issuedAt' | 'expiresAt' | 'role'>

/** The caller that a principal is in a region. Throws UnrecognizedClient for a role without a session: roles have no access keys. */
export function callerOf(
  principal: Principal,
  policies: EffectivePolicies,
  accessKeyId: string,
  region: string,
  session?: CallingSession,
): Caller {
  const { account, name, principalId, tags } = principal
  const arn = principalIn(region, principal.arn)
  const common = { account, ...policies, accessKeyId, region }
  if (principal.type === 'user') {
    const times = session && { issuedAt: session.issuedAt, expiresAt: session.expiresAt }
    return { ...common, type: 'user', arn, principalId, userName: name, tags, session: times }
  }
  if (session?.role === undefined) throw unrecognizedClient()
  const { role } = session
  return {
    ...common,
    type: 'assumedRole',
    arn: sessionArn(arn, role.name),
    principalId: `${principalId}:${role.name}`,
    roleArn: arn,
    roleName: name,
    sessionName: role.name,
    sessionPolicies: role.policies,
    issuedAt: session.issuedAt,
    tags: tagsOf(principal, role),
    transitiveTagKeys: role.transitiveTagKeys,
    sourceIdentity: role.sourceIdentity,
    federation: role.federation,
  }
}

/** A tag of the session hides one of the role whose key differs only in case: IAM User Guide, "Pass session tags in AWS STS". */
function tagsOf({ tags }: Principal, { tags: own = [] }: RoleSession): readonly Tag[] {
  const keys = new Set(own.map(({ TagKey }) => asciiLowerCase(TagKey)))
  return keys.size === 0 ? tags : [...tags.filter(({ TagKey }) => !keys.has(asciiLowerCase(TagKey))), ...own]
}
