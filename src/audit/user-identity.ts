import { type Caller, issuedAt, type RoleCaller, uniqueId } from '../model/identities/caller.ts'

type UserIdentity = Readonly<Record<string, unknown>>

/** A caller comes back with its next request. */
const known = new WeakMap<Caller, UserIdentity>()

/** Who called, as a record says it: CloudTrail User Guide, "CloudTrail userIdentity element". */
export function userIdentity(caller: Caller): UserIdentity {
  let identity = known.get(caller)
  if (identity === undefined) {
    identity = identityOf(caller)
    known.set(caller, identity)
  }
  return identity
}

function identityOf(caller: Caller): UserIdentity {
  const { principalId, arn, account, accessKeyId, via } = caller
  const common = { principalId, arn, accountId: account, accessKeyId, ...(via && { invokedBy: via.service }) }
  const attributes = attributesOf(caller)
  switch (caller.type) {
    case 'operator':
      return { type: 'Operator', uid: caller.uid }
    case 'user':
      return {
        type: 'IAMUser',
        ...common,
        userName: caller.userName,
        ...(attributes && { sessionContext: { attributes } }),
      }
    case 'assumedRole':
      return { type: 'AssumedRole', ...common, sessionContext: { ...roleContext(caller), attributes } }
    case 'webIdentity':
      return { type: 'WebIdentityUser', principalId, userName: caller.subject, identityProvider: caller.provider }
    case 'service':
      return { type: 'AWSService', invokedBy: caller.service, accessKeyId }
  }
}

/** Of temporary credentials. */
function attributesOf(caller: Caller) {
  const time = issuedAt(caller)
  if (time === undefined) return undefined
  return { creationDate: `${new Date(time).toISOString().slice(0, 19)}Z`, mfaAuthenticated: 'false' }
}

/**
 * Who called, by a record: the ARN of the user, or of the role behind a session, as each session may have a name of its own; the service
 * principal of a service.
 */
export function callerIn(identity: UserIdentity | null | undefined): string {
  const { arn, invokedBy, type, sessionContext } = identity ?? {}
  const { sessionIssuer } = (sessionContext ?? {}) as { readonly sessionIssuer?: { readonly arn: unknown } | null }
  return [sessionIssuer?.arn, arn, invokedBy, type].find(name => typeof name === 'string') ?? 'unknown'
}

/** Everything by which the caller of a record can be named. */
export function callerNames(identity: UserIdentity | null | undefined): readonly unknown[] {
  const { arn, principalId, userName, accessKeyId, invokedBy, type, uid, sessionContext } = identity ?? {}
  const { sessionIssuer } = (sessionContext ?? {}) as { readonly sessionIssuer?: Record<string, unknown> | null }
  const id = typeof principalId === 'string' ? principalId.split(':') : []
  const issuer = [sessionIssuer?.arn, sessionIssuer?.userName, sessionIssuer?.principalId]
  return [
    arn,
    principalId,
    ...id,
    userName,
    accessKeyId,
    invokedBy,
    ...issuer,
    ...(uid === undefined ? [] : [type, `${uid}`]),
  ]
}

function roleContext(caller: RoleCaller) {
  const { account, roleArn, roleName, sourceIdentity, federation } = caller
  const { provider, audience, subject } = federation ?? {}
  return {
    sessionIssuer: {
      type: 'Role',
      principalId: uniqueId(caller),
      arn: roleArn,
      accountId: account,
      userName: roleName,
    },
    ...(sourceIdentity !== undefined && { sourceIdentity }),
    ...(federation && {
      webIdFederationData: { federatedProvider: provider, attributes: { aud: audience, sub: subject } },
    }),
  }
}
