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
const provider = `arn:aws:iam::${account}:oidc-provider/oidc.example.com`
const nobody = { account: '', arn: '', principalId: '', region: 'eu-west-1', accessKeyId: '', policies: [], tags: [] }
const via = { service: 'dynamodb.amazonaws.com', accessKeyId: 'AKIAEXAMPLE000000002' }
const service: Caller = {
  ...nobody,
  type: 'service',
  service: 's3.amazonaws.com',
  accounts: [],
  sourceArn: 'arn:aws:s3:::bucket',
  sourceAccount: account,
}
const federation = { provider, subject: 'system:serviceaccount:a:b', audience: 'sts.amazonaws.com' }
const webIdentity: Caller = { ...nobody, ...federation, type: 'webIdentity', issuer: 'oidc.example.com', claims: {} }
const federatedSession: Caller = { ...backup, federation, sourceIdentity: 'DiegoRamirez' }
const throughService: Caller = { ...alice, via }
const context: RequestContext = {
  sourceAddress: '192.0.2.1',
  userAgent: 'aws-cli/2',
  referer: 'https://example.com/',
  secure: true,
  startedAt: 1_700_000_000_123,
}

type Value = string[] | undefined

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
    ['aws:PrincipalOrgID', undefined, undefined],
    ['aws:PrincipalOrgPaths', undefined, undefined],
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

  // biome-ignore format: a table
  it.each<readonly [name: string, ...ofCallers: [Value, Value, Value, Value]]>([
    //                                a service for a bucket                     a web identity           a federated session   a user through a service
    ['aws:CalledVia',                 undefined,                                 undefined,               undefined,            ['dynamodb.amazonaws.com']],
    ['aws:CalledViaFirst',            undefined,                                 undefined,               undefined,            ['dynamodb.amazonaws.com']],
    ['aws:CalledViaLast',             undefined,                                 undefined,               undefined,            ['dynamodb.amazonaws.com']],
    ['aws:FederatedProvider',         undefined,                                 [provider],              [provider],           undefined],
    ['aws:MultiFactorAuthPresent',    undefined,                                 undefined,               ['false'],            undefined],
    ['aws:PrincipalAccount',          undefined,                                 undefined,               [account],            [account]],
    ['aws:PrincipalArn',              undefined,                                 undefined,               [backup.roleArn],     [alice.arn]],
    ['aws:PrincipalIsAWSService',     ['true'],                                  ['false'],               ['false'],            ['false']],
    ['aws:PrincipalServiceName',      ['s3.amazonaws.com'],                      undefined,               undefined,            undefined],
    ['aws:PrincipalServiceNamesList', ['s3.amazonaws.com', 's3.eu-west-1.amazonaws.com'], undefined,      undefined,            undefined],
    ['aws:PrincipalType',             undefined,                                 undefined,               ['AssumedRole'],      ['User']],
    ['aws:SourceAccount',             [account],                                 undefined,               undefined,            undefined],
    ['aws:SourceArn',                 ['arn:aws:s3:::bucket'],                   undefined,               undefined,            undefined],
    ['aws:SourceIdentity',            undefined,                                 undefined,               ['DiegoRamirez'],     undefined],
    ['aws:TokenIssueTime',            undefined,                                 undefined,               ['2023-11-14T22:13:20.000Z'], undefined],
    ['aws:userid',                    undefined,                                 undefined,               [backup.principalId], [alice.principalId]],
    ['aws:ViaAWSService',             ['false'],                                 ['false'],               ['false'],            ['true']],
  ])('%s is %j for a service, %j for a web identity, %j for a federated session and %j through a service', (name, ...expected) => {
    const callers = [service, webIdentity, federatedSession, throughService]
    expect(isGlobalKeyKnown(name)).toBe(true)
    expect(callers.map(caller => globalConditionKeys(caller, context)(name.toLowerCase()))).toEqual(expected)
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
