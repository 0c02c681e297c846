import { Failure } from '../errors.ts'
import { principalIn, sessionArn } from '../model/arn.ts'
import { asciiLowerCase } from '../model/ascii.ts'
import type { Caller } from '../model/identities/caller.ts'
import type { EffectivePolicies } from '../model/identities/effective-policies.ts'
import type { Principal } from '../model/identities/principal.ts'
import type { Principals } from '../model/identities/principals.ts'
import type { Service } from '../model/identities/service.ts'
import type { RoleSession, Session } from '../model/identities/session.ts'
import type { Tag } from '../model/keys/key.ts'
import type { SignedRequest } from './canonical-request.ts'
import {
  isForCaller,
  isThatSession,
  notRepresented,
  refuseServiceHeaders,
  representedBy,
  type ServiceCall,
  serviceCaller,
} from './service-calls.ts'
import { unrecognizedClient } from './signing-keys.ts'
import type { Signer } from './sigv4.ts'

/** All users, roles and services. Records, as those of access keys, are replaced when they change, never modified. */
export interface Identities {
  readonly principals: Principals & { policiesOf(principal: Principal): EffectivePolicies }
  readonly services: { ofUser(arn: string): Service | undefined }
  /** Differs after each change of a principal, a policy or a service. */
  readonly version: () => number
}

export interface CallerOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Whether services may call. */
  readonly services: boolean
  /**
   * Resolves to the session of temporary credentials that a service passes on; undefined unless they were made here.
   *
   * @param service to which the work is charged
   */
  readonly sessionOf: (token: string, accessKeyId: string, service: string) => Promise<Session | undefined>
}

interface Known {
  readonly of: Principal
  readonly version: number
  readonly caller: Caller
  /** What the user calls as. */
  readonly service: Service | undefined
}

/**
 * Finds the caller behind an access key or session. Throws UnrecognizedClient if its user or role is gone or its sessions were revoked since,
 * ExpiredToken if the session has ended, AccessDenied or Validation for headers of services (service-calls.ts).
 */
export function callerFinder(
  identities: Identities,
  options: CallerOptions,
): (signer: Signer, headers: SignedRequest['headers']) => Caller | Promise<Caller> {
  const { clock, services } = options
  const { principals, version } = identities
  /** The last of each access key and session. */
  const known = new WeakMap<Signer['credentials'], Known>()
  return ({ credentials, region }, headers) => {
    const isSession = 'expiresAt' in credentials
    const of = isSession ? principals.withId(credentials.principalId) : principals.find(credentials.principalArn)
    if (of === undefined) throw unrecognizedClient()
    if (isSession) checkSession(credentials, of, clock())
    let last = known.get(credentials)
    if (last?.of !== of || last.version !== version() || last.caller.region !== region) {
      last = callerWith(credentials, of, region, identities)
      known.set(credentials, last)
    }
    const { caller, service } = last
    if (service === undefined) {
      refuseServiceHeaders(headers)
      return caller
    }
    if (isSession) throw unrecognizedClient()
    if (!services) throw new Failure('AccessDenied', 'Service principals are turned off: see authentication.services.')
    return calledBy({ service, accessKeyId: credentials.id, region, headers }, identities, options)
  }
}

function callerWith(credentials: Signer['credentials'], of: Principal, region: string, identities: Identities): Known {
  const { principals, services, version } = identities
  const policies = principals.policiesOf(of)
  const caller =
    'expiresAt' in credentials
      ? callerOf(of, policies, credentials.accessKeyId, region, credentials)
      : callerOf(of, policies, credentials.id, region)
  return { of, version: version(), caller, service: services.ofUser(of.arn) }
}

/** The service, or the user or role session on whose behalf it calls. */
function calledBy(
  call: ServiceCall,
  { principals, services }: Identities,
  { clock, sessionOf }: CallerOptions,
): Caller | Promise<Caller> {
  if (!isForCaller(call)) return serviceCaller(call)
  const isService = (arn: string) => services.ofUser(arn) !== undefined
  const represented = representedBy(call, principals, isService)
  const { principal, session: claimed, via } = represented
  const callerIn = (session?: Session): Caller => ({
    ...callerOf(principal, principals.policiesOf(principal), call.accessKeyId, call.region, session),
    via,
  })
  // The service has authenticated the user.
  if (claimed === undefined) return callerIn()
  return sessionOf(claimed.token, claimed.accessKeyId, call.service.name).then(session => {
    if (session === undefined || !isThatSession(represented, session)) throw notRepresented(call)
    checkSession(session, principal, clock())
    return callerIn(session)
  })
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
