import type { Caller } from '../model/identities/caller.ts'

/** Who called, as a record says it: CloudTrail User Guide, "CloudTrail userIdentity element". */
export function userIdentity(caller: Caller): Readonly<Record<string, unknown>> {
  const { principalId, arn, account } = caller
  switch (caller.type) {
    case 'user':
      return {
        type: 'IAMUser',
        principalId,
        arn,
        accountId: account,
        accessKeyId: caller.accessKeyId,
        userName: caller.userName,
      }
    case 'assumedRole':
      return {
        type: 'AssumedRole',
        principalId,
        arn,
        accountId: account,
        accessKeyId: caller.accessKeyId,
        sessionContext: {
          sessionIssuer: {
            type: 'Role',
            principalId: principalId.slice(0, principalId.indexOf(':')),
            arn: caller.roleArn,
            accountId: account,
            userName: caller.roleName,
          },
          attributes: { creationDate: new Date(caller.issuedAt).toISOString(), mfaAuthenticated: 'false' },
        },
      }
  }
}
