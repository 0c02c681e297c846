import { describe, expect, it } from 'vitest'
import { namedPrincipal } from '../../../src/model/identities/principals.ts'
import { account, aPrincipal, aRole } from '../../storage/records.ts'
import { principalsOf } from './principals.ts'

const elsewhere = '444455556666'
const alice = aPrincipal('alice', { arn: `arn:aws:iam::${account}:user/division/alice` })
const bob = aPrincipal('bob')
const backup = aRole('backup', { arn: `arn:aws-cn:iam::${account}:role/service/backup` })

const principals = principalsOf(alice, bob, backup)

describe('a principal that a policy or grant names', () => {
  const iam = `arn:aws:iam::${account}:`
  const sts = `arn:aws:sts::${account}:`

  it.each([
    ['a user', `${iam}user/bob`, bob.principalId],
    ['a user with a path', `${iam}user/division/alice`, alice.principalId],
    ['a role that was created in another partition', `${iam}role/service/backup`, backup.principalId],
    ['a session of a role, without its path', `${sts}assumed-role/backup/night`, `${backup.principalId}:night`],
    ['a unique id', alice.principalId, alice.principalId],
  ])('is found if it is %s', (_what, name, id) => {
    expect(namedPrincipal(name, 'aws', principals)).toEqual({ account, id })
  })

  it.each([
    ['the account as ARN', `${iam}root`, account],
    ['the account as number', account, account],
    ['a federated user', `${sts}federated-user/carol`, account],
    ['another account', `arn:aws:iam::${elsewhere}:root`, elsewhere],
    ['a user of an account without principals here', `arn:aws:iam::${elsewhere}:user/bob`, elsewhere],
    ['a session of one', `arn:aws:sts::${elsewhere}:assumed-role/backup/night`, elsewhere],
  ])('is accepted by its form if it is %s', (_what, name, account) => {
    expect(namedPrincipal(name, 'aws', principals)).toEqual({ account })
  })

  it.each([
    ['does not exist', `${iam}user/carol`],
    ['is a role, named as a user', `${iam}user/backup`],
    ['has another path', `${iam}user/alice`],
    ['has a path that is only the end of its own', `${iam}role/backup`],
    ['has no path', `${iam}user/division/bob`],
    ['differs in case', `${iam}user/Bob`],
    ['is a session of a role that does not exist', `${sts}assumed-role/restore/night`],
    ['is a session of a user', `${sts}assumed-role/bob/night`],
    ['is a session of a role with its path', `${sts}assumed-role/service/backup/night`],
    ['is a role without a session', `${sts}assumed-role/backup`],
    ['has another partition', `arn:aws-cn:iam::${account}:user/bob`],
    ['has a wildcard', `${iam}user/*`],
    ['has a wildcard for its account', 'arn:aws:iam::*:root'],
    ['is a wildcard', '*'],
    ['is a group', `${iam}group/all`],
    ['is an unknown unique id', 'AIDAQQQQQQQQQQQQQQQQQ'],
    ['ends with a slash', `${iam}user/bob/`],
    ['ends with a line break', `${iam}user/bob\n`],
    ['is empty', ''],
    ['is too short for an account', '11112222333'],
    ['is an account in other digits', '１１１１２２２２３３３３'],
  ])('is none if it %s', (_what, name) => {
    expect(namedPrincipal(name, 'aws', principals)).toBeUndefined()
  })

  it('is another one when it is created again under the same name', () => {
    const again = { ...bob, principalId: 'AIDAAGAIN' }
    expect(namedPrincipal(`${iam}user/bob`, 'aws', principalsOf(again))).toEqual({ account, id: 'AIDAAGAIN' })
    expect(namedPrincipal(bob.principalId, 'aws', principalsOf(again))).toBeUndefined()
  })
})
