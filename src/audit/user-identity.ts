import { type Caller, type RoleCaller, uniqueId } from '../model/identities/caller.ts'

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

function sessionContext(caller: RoleCaller) {
  const { account, roleArn, roleName, issuedAt } = caller
  return {
    sessionIssuer: {
      type: 'Role',
      principalId: uniqueId(caller),
      arn: roleArn,
      accountId: account,
      userName: roleName,
    },
    attributes: { creationDate: `${new Date(issuedAt).toISOString().slice(0, 19)}Z`, mfaAuthenticated: 'false' },
  }
}
