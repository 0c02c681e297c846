import { describe, expect, it } from 'vitest'
import { decide } from '../../src/authorization/decide.ts'
import { checkKeyPolicy } from '../../src/authorization/key-policy.ts'
import { principalsOf } from '../model/identities/principals.ts'
import { account, aKey, aPrincipal, aRole, region } from '../storage/records.ts'
import { aUser } from './users.ts'

const alice = aPrincipal('alice')
const backup = aRole('backup', { arn: `arn:aws:iam::${account}:role/service/backup` })
const night = `arn:aws:sts::${account}:assumed-role/backup/night`
const elsewhere = 'arn:aws:iam::444455556666:role/unknown'

/** Puts a policy with a statement for each of these values of Principal, and what else it is given. */
function put(principals: readonly unknown[], ...others: object[]) {
  const Statement = [...principals.map(Principal => ({ Effect: 'Allow', Principal })), ...others].map(statement => ({
    ...statement,
    Action: 'kms:*',
    Resource: '*',
  }))
  const caller = { ...aUser(alice.arn, []), principalId: alice.principalId, region }
  const text = JSON.stringify({ Version: '2012-10-17', Statement })
  const proposed = { text, keyArn: aKey(1).arn, account, caller, bypassLockoutSafetyCheck: false }
  return checkKeyPolicy(proposed, principalsOf(alice, backup))
}

describe('the principals of a key policy', () => {
  it('are returned with their unique ids, those of unknown accounts and of accounts without', () => {
    const aws = [alice.arn, night, elsewhere, account, `arn:aws:iam::${account}:root`, backup.principalId]
    const spare = { Effect: 'Deny', NotPrincipal: { AWS: [backup.arn, account, alice.arn] } }
    expect(put(['*', { AWS: aws }, { AWS: alice.arn, Service: 'logs.amazonaws.com' }], spare)).toEqual({
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
    expect(() => put(['*', { AWS: [alice.arn, name] }])).toThrow(refused)
    expect(() => put([{ AWS: alice.arn }, { AWS: name }])).toThrow(refused)
    expect(() => put(['*'], { Effect: 'Deny', NotPrincipal: { AWS: [alice.arn, name] } })).toThrow(refused)
  })
})

describe('a statement', () => {
  const user = { arn: alice.arn, account, principalId: alice.principalId }
  const session = { arn: night, roleArn: backup.arn, account, principalId: `${backup.principalId}:night` }
  const again = { ...session, principalId: 'AROAAGAIN:night' }

  /** Whether a policy allows the principal. @param ids of the principals that it named when it was put */
  function allows(principal: typeof user, ids: Record<string, string> | undefined, ...statements: object[]): boolean {
    const Statement = statements.map(statement => ({ Action: '*', Resource: '*', ...statement }))
    const request = { principal, action: 'kms:Decrypt', resource: aKey(1).arn, account, context: () => undefined }
    const resource = { text: JSON.stringify({ Statement }), principalIds: ids }
    return decide(request, { identity: [], resource }).allowed
  }

  it.each([
    ['a user', user, alice.arn, alice.principalId, true],
    ['a user created again', { ...user, principalId: 'AIDAAGAIN' }, alice.arn, alice.principalId, false],
    ['a role, by a session of it', session, backup.arn, backup.principalId, true],
    ['a role created again', again, backup.arn, backup.principalId, false],
    ['a session', session, night, session.principalId, true],
    ['a session of a role created again', again, night, session.principalId, false],
    ['a role whose id begins with that of the former one', again, backup.arn, 'AROAAGAI', false],
    ['a role whose session is named like the former id', again, backup.arn, 'night', false],
    ['a role, when policies were put without ids', again, backup.arn, undefined, true],
    ['a session, when policies were put without ids', again, night, undefined, true],
    ['a user by id', user, alice.principalId, undefined, true],
    ['a role by id, by a session of it', session, backup.principalId, undefined, true],
    ['a former role by id', again, backup.principalId, undefined, false],
  ])('that names %s', (_what, principal, name, id, allowed) => {
    const ids = id === undefined ? undefined : { [name]: id }
    expect(allows(principal, ids, { Effect: 'Allow', Principal: { AWS: name } })).toBe(allowed)
  })

  it('that spares a role from a Deny does not spare one created again', () => {
    const ids = { [backup.arn]: backup.principalId, [night]: session.principalId }
    const everyone = { Effect: 'Allow', Principal: '*' }
    const others = { Effect: 'Deny', NotPrincipal: { AWS: [account, backup.arn, night] } }
    expect(allows(session, ids, everyone, others)).toBe(true)
    expect(allows(again, ids, everyone, others)).toBe(false)
  })
})
