import { describe, expect, it } from 'vitest'
import { checkKeyPolicy } from '../../src/authorization/key-policy.ts'
import { principalsOf } from '../model/identities/principals.ts'
import { account, aKey, aPrincipal, region } from '../storage/records.ts'
import { aUser } from './users.ts'

const alice = aPrincipal('alice')
const backup = aPrincipal('backup', { type: 'role', arn: `arn:aws:iam::${account}:role/service/backup` })
const night = `arn:aws:sts::${account}:assumed-role/backup/night`
const elsewhere = 'arn:aws:iam::444455556666:role/unknown'

/** Puts a policy with a statement for each of these values of Principal. */
function put(...principals: unknown[]) {
  const Statement = principals.map(Principal => ({ Effect: 'Allow', Principal, Action: 'kms:*', Resource: '*' }))
  const caller = { ...aUser(alice.arn, []), region }
  const text = JSON.stringify({ Version: '2012-10-17', Statement })
  const proposed = { text, keyArn: aKey(1).arn, account, caller, bypassLockoutSafetyCheck: false }
  return checkKeyPolicy(proposed, principalsOf(alice, backup))
}

describe('the principals of a key policy', () => {
  it('are returned with their unique ids, those of unknown accounts and of accounts without', () => {
    const aws = [alice.arn, night, elsewhere, account, `arn:aws:iam::${account}:root`, backup.principalId]
    expect(put('*', { AWS: aws }, { AWS: backup.arn, Service: 'logs.amazonaws.com' })).toEqual({
      [alice.arn]: alice.principalId,
      [backup.arn]: backup.principalId,
      [night]: `${backup.principalId}:night`,
    })
  })

  it.each([
    ['a user that does not exist', `arn:aws:iam::${account}:user/bob`],
    ['a role that does not exist', `arn:aws:iam::${account}:role/alice`],
    ['a session of a role that does not exist', `arn:aws:sts::${account}:assumed-role/alice/night`],
    ['a wildcard in an ARN', `arn:aws:iam::${account}:role/service/*`],
    ['an unknown id', 'AROAQQQQQQQQQQQQQQQQQ'],
  ])('are refused, however many others there are, if one is %s', (_what, name) => {
    const refused = expect.objectContaining({
      code: 'MalformedPolicyDocument',
      message: 'Policy contains a statement with one or more invalid principals.',
    })
    expect(() => put('*', { AWS: [alice.arn, name] })).toThrow(refused)
    expect(() => put({ AWS: alice.arn }, { AWS: name })).toThrow(refused)
  })
})
