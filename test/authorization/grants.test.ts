import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Delegation, fittingGrant, mayDelegate, retirementBy } from '../../src/authorization/grants.ts'
import type { RequestPrincipal } from '../../src/authorization/request.ts'
import {
  type Grant,
  type GrantConstraints,
  type GrantOperation,
  type GrantPrincipal,
  grantOperations,
  isWithin,
} from '../../src/model/keys/grant.ts'
import { account, aGrant, aKey } from '../storage/records.ts'

const [equals, subset] = ['EncryptionContextEquals', 'EncryptionContextSubset'] as const
const key = aKey(1)

const user: RequestPrincipal = { arn: `arn:aws:iam::${account}:user/path/alice`, account, principalId: 'AIDAALICE' }
const session: RequestPrincipal = {
  arn: `arn:aws:sts::${account}:assumed-role/backup/night`,
  roleArn: `arn:aws:iam::${account}:role/service/backup`,
  account,
  principalId: 'AROABACKUP:night',
}
const federated: RequestPrincipal = { arn: `arn:aws:sts::${account}:federated-user/bob`, account, principalId: '' }
const accountPrincipal = { arn: `arn:aws:iam::${account}:root` }

/** As storage finds them: those whose grantee is the same. */
function among(...grants: readonly Grant[]) {
  return ({ arn, uniqueId }: GrantPrincipal) =>
    grants.find(({ grantee }) => grantee.arn === arn && grantee.uniqueId === uniqueId)
}

describe('a grant', () => {
  const { arn: role } = { arn: session.roleArn! }

  it.each<[string, RequestPrincipal, GrantPrincipal, string | undefined]>([
    ['a user', user, { arn: user.arn, uniqueId: 'AIDAALICE' }, 'caller'],
    ['a user before its account had users here', user, { arn: user.arn }, 'caller'],
    ['a former user of the same name', user, { arn: user.arn, uniqueId: 'AIDAFORMER' }, undefined],
    ['a user of the same id and another name', user, { arn: `${user.arn}2`, uniqueId: 'AIDAALICE' }, undefined],
    ['a user in other case', user, { arn: user.arn.toUpperCase() }, undefined],
    ['a session', session, { arn: session.arn, uniqueId: 'AROABACKUP:night' }, 'caller'],
    ['a session of a former role', session, { arn: session.arn, uniqueId: 'AROAFORMER:night' }, undefined],
    ['another session', session, { arn: `${session.arn}2`, uniqueId: 'AROABACKUP:night2' }, undefined],
    ['the role', session, { arn: role, uniqueId: 'AROABACKUP' }, 'role'],
    ['the role before its account had roles here', session, { arn: role }, 'role'],
    ['a former role', session, { arn: role, uniqueId: 'AROAFORMER' }, undefined],
    ['a role without the path', session, { arn: `arn:aws:iam::${account}:role/backup` }, undefined],
    ['the account of a session', session, accountPrincipal, 'account'],
    ['the account of a user', user, accountPrincipal, 'account'],
    ['another account', user, { arn: 'arn:aws:iam::444455556666:root' }, undefined],
    ['the account in another partition', user, { arn: `arn:aws-cn:iam::${account}:root` }, undefined],
    ['a federated user', federated, { arn: federated.arn }, 'caller'],
  ])('to %s names the caller accordingly', (_, principal, grantee, as) => {
    const grant = aGrant(1, key, { grantee })
    const expected = as && { id: grant.id, grantee: as }
    expect(fittingGrant(principal, among(grant))).toEqual(expected)
    expect(retirementBy(principal, { ...grant, operations: ['Encrypt', 'RetireGrant'] })).toEqual(expected)
    expect(retirementBy(principal, { ...grant, grantee: { arn: 'nobody' }, retiring: grantee })).toEqual(expected)
    expect(retirementBy(principal, grant)).toBeUndefined()
  })

  it('that fewer policies limit comes first', () => {
    const grants = [accountPrincipal, { arn: role }, { arn: session.arn }].map((grantee, n) =>
      aGrant(n, key, { grantee }),
    )
    const best = (count: number) => fittingGrant(session, among(...grants.slice(0, count)))?.grantee
    expect([0, 1, 2, 3].map(best)).toEqual([undefined, 'account', 'role', 'caller'])
  })
})

describe('delegation', () => {
  const all: readonly GrantOperation[] = ['CreateGrant', 'Encrypt', 'Decrypt']
  const a = { a: '1' }
  const ab = { a: '1', b: '2' }

  // biome-ignore format: a table
  it.each<[string, Delegation, Delegation, boolean]>([
    // what                              of                                                      to                                                              allowed
    ['of the same',                      { operations: all },                                    { operations: all },                                            true],
    ['of a part',                        { operations: all },                                    { operations: ['Encrypt'] },                                    true],
    ['of another operation',             { operations: all },                                    { operations: ['Encrypt', 'GenerateDataKey'] },                 false],
    ['of an operation without context',  { operations: all },                                    { operations: ['DescribeKey'] },                                false],
    ['of the right to retire',           { operations: all },                                    { operations: ['Encrypt', 'RetireGrant'] },                     false],
    ['without the right to delegate',    { operations: ['Encrypt'] },                            { operations: ['Encrypt'] },                                    false],
    ['with a constraint',                { operations: all },                                    { operations: all, constraints: { [subset]: a } },              true],
    ['without the constraint',           { operations: all, constraints: { [subset]: a } },      { operations: all },                                            false],
    ['with an empty constraint',         { operations: all, constraints: { [subset]: a } },      { operations: all, constraints: { [subset]: {} } },             false],
    ['with an empty equal context',      { operations: all, constraints: { [subset]: a } },      { operations: all, constraints: { [equals]: {} } },             false],
    ['with more pairs',                  { operations: all, constraints: { [subset]: a } },      { operations: all, constraints: { [subset]: ab } },             true],
    ['with fewer pairs',                 { operations: all, constraints: { [subset]: ab } },     { operations: all, constraints: { [subset]: a } },              false],
    ['from subset to equals',            { operations: all, constraints: { [subset]: a } },      { operations: all, constraints: { [equals]: ab } },             true],
    ['from equals to subset',            { operations: all, constraints: { [equals]: a } },      { operations: all, constraints: { [subset]: a } },              false],
    ['from equals to subset of more',    { operations: all, constraints: { [equals]: a } },      { operations: all, constraints: { [subset]: ab } },             false],
    ['from equals to equals',            { operations: all, constraints: { [equals]: ab } },     { operations: all, constraints: { [equals]: { b: '2', a: '1' } } }, true],
    ['from equals to both',              { operations: all, constraints: { [equals]: ab } },     { operations: all, constraints: { [equals]: ab, [subset]: a } }, true],
    ['from both to equals',              { operations: all, constraints: { [equals]: ab, [subset]: a } }, { operations: all, constraints: { [equals]: ab } },    true],
    ['from both to subset',              { operations: all, constraints: { [equals]: ab, [subset]: a } }, { operations: all, constraints: { [subset]: ab } },    false],
  ])('%s', (_, of, to, may) => {
    expect(mayDelegate(of, to)).toBe(may)
  })

  it('along any chain allows no request that the first grant does not', () => {
    const context = fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2'))
    const names = Object.keys(grantOperations).slice(0, 3) as GrantOperation[]
    const link = fc.record({
      operations: fc.subarray([...names, 'CreateGrant' as const], { minLength: 1 }),
      constraints: fc.record({ [equals]: context, [subset]: context }, { requiredKeys: [] }),
    })
    let passedOn = 0
    fc.assert(
      fc.property(
        link,
        fc.array(link, { minLength: 10, maxLength: 30 }),
        context,
        ({ constraints }, links, request) => {
          const first = { operations: [...names.slice(1), 'CreateGrant' as const], constraints }
          // Each of them is tried by whoever has got a grant from the first one.
          const reached = [first]
          for (const next of links) if (reached.some(one => mayDelegate(one, next))) reached.push(next)
          passedOn += reached.length - 1
          const asked: GrantConstraints = { [equals]: request }
          for (const { operations, constraints } of reached) {
            expect(first.operations).toEqual(expect.arrayContaining([...operations]))
            if (isWithin(asked, constraints)) expect(isWithin(asked, first.constraints)).toBe(true)
          }
        },
      ),
      { numRuns: 300 },
    )
    expect(passedOn).toBeGreaterThan(100)
  })

  it('is by one grant, not by several together', () => {
    const operations: GrantOperation[] = ['Encrypt', 'Decrypt']
    const halves = operations.map(operation => ({ operations: ['CreateGrant' as const, operation] }))
    expect(halves.map(half => mayDelegate(half, { operations }))).toEqual([false, false])
  })
})
