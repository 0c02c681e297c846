import { describe, expect, it } from 'vitest'
import { callerFinder } from '../../src/authentication/callers.ts'
import type { Principal } from '../../src/model/identities/principal.ts'
import { account, anAccessKey, aPrincipal } from '../storage/records.ts'

const region = 'eu-west-1'
const user = aPrincipal('alice', { arn: `arn:aws:iam::${account}:user/division/alice` })
const role = aPrincipal('backup', { type: 'role', arn: `arn:aws:iam::${account}:role/service/backup` })
const session = { name: 'night', issuedAt: 1_700_000_000_000 }

/** Finds callers among principals that can be replaced. */
function finding(...principals: Principal[]) {
  const known = new Map(principals.map(principal => [principal.arn, principal]))
  return { known, callerOf: callerFinder(arn => known.get(arn)) }
}

describe('the caller behind an access key', () => {
  it('is the user to whom it belongs', () => {
    const { callerOf } = finding(user)
    expect(callerOf({ accessKey: anAccessKey('AKIAALICE', user), region })).toEqual({
      type: 'user',
      arn: user.arn,
      account,
      userName: 'alice',
      principalId: user.principalId,
      policies: user.policies,
      permissionsBoundary: undefined,
      tags: [],
      accessKeyId: 'AKIAALICE',
      region,
    })
  })

  it('is the session of a role, whose ARN has no path', () => {
    const limited = { ...role, permissionsBoundary: '{}', tags: [{ TagKey: 'team', TagValue: 'storage' }] }
    const { callerOf } = finding(limited)
    const accessKey = anAccessKey('ASIANIGHT', role, {
      session: { ...session, policies: ['{"Version":"2012-10-17"}'] },
    })
    expect(callerOf({ accessKey, region })).toEqual({
      type: 'assumedRole',
      arn: `arn:aws:sts::${account}:assumed-role/backup/night`,
      roleArn: role.arn,
      roleName: 'backup',
      sessionName: 'night',
      sessionPolicies: ['{"Version":"2012-10-17"}'],
      issuedAt: session.issuedAt,
      account,
      principalId: `${role.principalId}:night`,
      policies: role.policies,
      permissionsBoundary: '{}',
      tags: [{ TagKey: 'team', TagValue: 'storage' }],
      accessKeyId: 'ASIANIGHT',
      region,
    })
  })

  it('has the ARNs of the partition that it calls', () => {
    const { callerOf } = finding(role)
    expect(callerOf({ accessKey: anAccessKey('ASIANIGHT', role, { session }), region: 'cn-north-1' })).toMatchObject({
      arn: `arn:aws-cn:sts::${account}:assumed-role/backup/night`,
      roleArn: `arn:aws-cn:iam::${account}:role/service/backup`,
    })
  })

  it('is the same object while nothing changes, so that what is known of it can be kept', () => {
    const { callerOf } = finding(user)
    const accessKey = anAccessKey('AKIAALICE', user)
    expect(callerOf({ accessKey, region })).toBe(callerOf({ accessKey, region }))
  })

  const changes: Record<string, Partial<Principal>> = {
    policies: { policies: [] },
    permissionsBoundary: { permissionsBoundary: '{"Version":"2012-10-17"}' },
    tags: { tags: [{ TagKey: 'team', TagValue: 'storage' }] },
    principalId: { principalId: 'AIDAANOTHER' },
  }
  it.each(Object.entries(changes))('has the new %s of its principal in the next call', (member, change) => {
    const { known, callerOf } = finding(user)
    const accessKey = anAccessKey('AKIAALICE', user)
    callerOf({ accessKey, region })
    known.set(user.arn, { ...user, ...change })
    expect(callerOf({ accessKey, region })).toHaveProperty(member, change[member as keyof Principal])
  })

  it('has the region of each call, and the session policies of the access key as it is now', () => {
    const { callerOf } = finding(role)
    const accessKey = anAccessKey('ASIANIGHT', role, { session })
    const regions = ['eu-west-1', 'us-east-1', 'eu-west-1']
    expect(regions.map(region => callerOf({ accessKey, region }).region)).toEqual(regions)
    const changed = { ...accessKey, session: { ...session, policies: [] } }
    expect(callerOf({ accessKey: changed, region })).toMatchObject({ sessionPolicies: [] })
  })

  it('is unknown when the user is gone, or if a role has an access key without a session', () => {
    const { known, callerOf } = finding(user, role)
    const accessKey = anAccessKey('AKIAALICE', user)
    callerOf({ accessKey, region })
    known.delete(user.arn)
    const refused = expect.objectContaining({ code: 'UnrecognizedClient' })
    expect(() => callerOf({ accessKey, region })).toThrow(refused)
    expect(() => callerOf({ accessKey: anAccessKey('AKIAROLE', role), region })).toThrow(refused)
  })
})
