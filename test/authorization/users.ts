import type { RoleCaller, UserCaller } from '../../src/model/identities/caller.ts'

/** An IAM user as caller. @param arn `arn:aws:iam::<account>:user/<name>` */
export function aUser(arn: string, policies: readonly string[]): UserCaller {
  const [, , , , account = '', resource = ''] = arn.split(':')
  return {
    type: 'user',
    arn,
    account,
    userName: resource.slice(resource.lastIndexOf('/') + 1),
    principalId: 'AIDAEXAMPLE0000000001',
    accessKeyId: 'AKIAEXAMPLE000000001',
    region: 'eu-west-1',
    policies,
    tags: [],
  }
}

/** A session of an IAM role as caller. */
export function aSession(arn: string, roleArn: string, policies: readonly string[]): RoleCaller {
  const [, roleName = '', sessionName = ''] = arn.split('/')
  return {
    type: 'assumedRole',
    arn,
    roleArn,
    roleName,
    sessionName,
    account: arn.split(':')[4]!,
    principalId: `AROAEXAMPLE0000000001:${sessionName}`,
    accessKeyId: 'ASIAEXAMPLE000000001',
    region: 'eu-west-1',
    policies,
    tags: [],
    issuedAt: 0,
  }
}
