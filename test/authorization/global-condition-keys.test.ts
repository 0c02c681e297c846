import { describe, expect, it } from 'vitest'
import {
  globalConditionKeys,
  globalConditionKeyTypes,
  isGlobalKeyKnown,
  type RequestContext,
} from '../../src/authorization/global-condition-keys.ts'
import type { Caller, RoleCaller } from '../../src/model/identities/caller.ts'
import { aUser } from './users.ts'

const account = '111122223333'
const tags = [
  { TagKey: 'Team', TagValue: 'Blue' },
  { TagKey: 'cost-center', TagValue: '' },
]
const alice: Caller = { ...aUser(`arn:aws:iam::${account}:user/path/alice`, []), tags }
const backup: RoleCaller = {
  type: 'assumedRole',
  account,
  arn: `arn:aws:sts::${account}:assumed-role/backup/nightly`,
  roleArn: `arn:aws:iam::${account}:role/service/backup`,
  roleName: 'backup',
  sessionName: 'nightly',
  principalId: 'AROAEXAMPLE0000000001:nightly',
  region: 'eu-west-1',
  accessKeyId: 'ASIAEXAMPLE000000001',
  policies: [],
  tags,
  issuedAt: 1_700_000_000_000,
}
const context: RequestContext = {
  sourceAddress: '192.0.2.1',
  userAgent: 'aws-cli/2',
  referer: 'https://example.com/',
  secure: true,
  startedAt: 1_700_000_000_123,
}

describe('global condition keys', () => {
  it.each<readonly [name: string, ofUser: string | undefined, ofRole: string | undefined]>([
    ['aws:CurrentTime', '2023-11-14T22:13:20.123Z', '2023-11-14T22:13:20.123Z'],
    ['aws:EpochTime', '1700000000', '1700000000'],
    ['aws:MultiFactorAuthAge', undefined, undefined],
    ['aws:MultiFactorAuthPresent', undefined, 'false'],
    ['aws:PrincipalAccount', account, account],
    ['aws:PrincipalArn', alice.arn, backup.roleArn],
    ['aws:PrincipalIsAWSService', 'false', 'false'],
    ['aws:PrincipalTag/Team', 'Blue', 'Blue'],
    ['aws:PrincipalTag/COST-CENTER', '', ''],
    ['aws:PrincipalType', 'User', 'AssumedRole'],
    ['aws:Referer', 'https://example.com/', 'https://example.com/'],
    ['aws:RequestedRegion', 'eu-west-1', 'eu-west-1'],
    ['aws:SecureTransport', 'true', 'true'],
    ['aws:SourceIp', '192.0.2.1', '192.0.2.1'],
    ['aws:TokenIssueTime', undefined, '2023-11-14T22:13:20.000Z'],
    ['aws:UserAgent', 'aws-cli/2', 'aws-cli/2'],
    ['aws:userid', 'AIDAEXAMPLE0000000001', 'AROAEXAMPLE0000000001:nightly'],
    ['aws:username', 'alice', undefined],
    ['aws:ViaAWSService', 'false', 'false'],
    // What nothing here can know.
    ['aws:CalledVia', undefined, undefined],
    ['aws:FederatedProvider', undefined, undefined],
    ['aws:PrincipalOrgID', undefined, undefined],
    ['aws:PrincipalOrgPaths', undefined, undefined],
    ['aws:SourceAccount', undefined, undefined],
    ['aws:SourceArn', undefined, undefined],
    ['aws:SourceVpc', undefined, undefined],
    ['aws:SourceVpce', undefined, undefined],
    ['aws:VpcSourceIp', undefined, undefined],
  ])('%s is %s for a user and %s for a role session', (name, ofUser, ofRole) => {
    const type = globalConditionKeyTypes[name.replace(/\/.*/, '/')]
    expect(type).toBeDefined()
    expect(isGlobalKeyKnown(name.replace(/\/.*/, '/'))).toBe(ofUser !== undefined || ofRole !== undefined)
    const values = [alice, backup].map(caller => globalConditionKeys(caller, context)(name.toLowerCase()))
    expect(values).toEqual([ofUser, ofRole].map(value => (value === undefined ? undefined : [value])))
  })

  it('that the request does not have are absent', () => {
    const asked = ['aws:useragent', 'aws:referer', 'aws:sourceip', 'aws:securetransport']
    for (const sourceAddress of ['', undefined]) {
      const values = globalConditionKeys(alice, { sourceAddress, startedAt: 0 })
      for (const name of [
        ...asked,
        'aws:principaltag/',
        'aws:principaltag/team/x',
        '',
        'aws:',
        '__proto__',
        'constructor',
      ])
        expect(values(name), name).toBeUndefined()
    }
    expect(globalConditionKeys({ ...alice, tags: [] }, context)('aws:principaltag/team')).toBeUndefined()
  })

  it('have several values if tags of the caller differ in case only', () => {
    const twice = [...tags, { TagKey: 'TEAM', TagValue: 'Red' }]
    expect(globalConditionKeys({ ...alice, tags: twice }, context)('aws:principaltag/team')).toEqual(['Blue', 'Red'])
  })
})
