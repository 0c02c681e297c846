import type { UserCaller } from '../../src/model/identities/caller.ts'

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
