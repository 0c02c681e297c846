import type { Caller, RoleCaller } from '../model/identities/caller.ts'

/** Who called, as a record says it: CloudTrail User Guide, "CloudTrail userIdentity element". */
export function userIdentity(caller: Caller): Readonly<Record<string, unknown>> {
  const { principalId, arn, account, accessKeyId } = caller
  const common = { principalId, arn, accountId: account, accessKeyId }
  switch (caller.type) {
    case 'user':
      return { type: 'IAMUser', ...common, userName: caller.userName }
    case 'assumedRole':
      return { type: 'AssumedRole', ...common, sessionContext: sessionContext(caller) }
  }
}

function sessionContext({ account, principalId, roleArn, roleName, issuedAt }: RoleCaller) {
  return {
    sessionIssuer: {
      type: 'Role',
      principalId: principalId.slice(0, principalId.indexOf(':')),
      arn: roleArn,
      accountId: account,
      userName: roleName,
    },
    attributes: { creationDate: `${new Date(issuedAt).toISOString().slice(0, 19)}Z`, mfaAuthenticated: 'false' },
  }
}
