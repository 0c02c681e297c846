import { type Caller, issuedAt, type RoleCaller, uniqueId } from '../model/identities/caller.ts'

/** Who called, as a record says it: CloudTrail User Guide, "CloudTrail userIdentity element". */
export function userIdentity(caller: Caller): Readonly<Record<string, unknown>> {
  const { principalId, arn, account, accessKeyId } = caller
  const common = { principalId, arn, accountId: account, accessKeyId }
  const attributes = attributesOf(caller)
  switch (caller.type) {
    case 'user':
      return {
        type: 'IAMUser',
        ...common,
        userName: caller.userName,
        ...(attributes && { sessionContext: { attributes } }),
      }
    case 'assumedRole':
      return { type: 'AssumedRole', ...common, sessionContext: { ...roleContext(caller), attributes } }
  }
}

/** Of temporary credentials. */
function attributesOf(caller: Caller) {
  const time = issuedAt(caller)
  if (time === undefined) return undefined
  return { creationDate: `${new Date(time).toISOString().slice(0, 19)}Z`, mfaAuthenticated: 'false' }
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
