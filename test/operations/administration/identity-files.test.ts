/** What a file of identities means, for any file: who may do what once it has been applied. */
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { callerOf } from '../../../src/authentication/callers.ts'
import { decide } from '../../../src/authorization/decide.ts'
import { policiesOf } from '../../../src/authorization/request.ts'
import type { Caller } from '../../../src/model/identities/caller.ts'
import { sqlite } from '../../../src/storage/engines/sqlite.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { openHere } from '../../storage/open.ts'
import { account } from '../../storage/records.ts'
import { applied, exportOf } from './identity-files.ts'

const other = '444455556666'
const region = 'us-east-1'
const actions = ['kms:Encrypt', 'kms:Decrypt', 'kms:ListKeys', 'sts:AssumeRole']
const key = `arn:aws:kms:${region}:${account}:key/1`
const names = {
  policies: ['read', 'write', 'all', 'none'],
  groups: ['readers', 'Writers'],
  users: ['alice', 'bob', 'carol'],
  roles: ['backup', 'Restore'],
}
const some = (of: readonly string[]) => fc.subarray([...of])
const oneOrList = (of: readonly string[]) => fc.oneof(fc.constantFrom(...of), fc.subarray([...of], { minLength: 1 }))
/** Some of the names, each with what it is. */
const section = (of: readonly string[], entry: fc.Arbitrary<object>) =>
  some(of).chain(kept => fc.record(Object.fromEntries(kept.map(name => [name, entry]))))

const statement = (rest: Record<string, fc.Arbitrary<unknown>>, allowed: readonly string[]): fc.Arbitrary<object> =>
  fc.record(
    {
      Effect: fc.constantFrom('Allow', 'Allow', 'Deny'),
      Action: oneOrList(allowed),
      Condition: fc.record({ StringEquals: fc.record({ 'aws:PrincipalTag/team': oneOrList(['red', 'blue']) }) }),
      ...rest,
    },
    { requiredKeys: ['Effect', 'Action', ...Object.keys(rest)] as never },
  )
const document = (of: fc.Arbitrary<object>) =>
  fc
    .record({
      Version: fc.constant('2012-10-17'),
      Statement: fc.oneof(of, fc.array(of, { minLength: 1, maxLength: 3 })),
    })
    .chain(written => fc.constantFrom(written, JSON.stringify(written, null, 1)))
const policy = document(statement({ Resource: oneOrList(['*', key, 'arn:aws:iam::*:role/*']) }, [...actions, 'KMS:*']))

/** An account whose trust policies name users of the account and of another one, and everything refers to what there is. */
const accountFile = fc
  .record({ policies: some(names.policies), groups: some(names.groups), users: some(names.users) })
  .chain(there => {
    const attached = {
      policies: some([...there.policies, 'arn:aws:iam::aws:policy/AdministratorAccess']),
      inlinePolicies: section(['own', 'Extra'], policy as fc.Arbitrary<object>),
    }
    const ofPrincipals = {
      ...attached,
      tags: section(['team', 'Site'], fc.constantFrom('red', 'blue', '') as unknown as fc.Arbitrary<object>),
      ...(there.policies.length > 0 && { permissionsBoundary: fc.constantFrom(...there.policies) }),
    }
    const trusted = [
      `arn:aws:iam::${account}:root`,
      other,
      ...there.users.map(name => `arn:aws:iam::${account}:user/${name}`),
    ]
    const AWS = oneOrList(trusted)
    const entries = (kept: readonly string[], entry: fc.Arbitrary<unknown>) =>
      fc.record(Object.fromEntries(kept.map(name => [name, entry])))
    const optional = (members: Record<string, fc.Arbitrary<unknown>>, requiredKeys: string[] = []) =>
      fc.record(members, { requiredKeys })
    return fc.record({
      roles: section(
        names.roles,
        optional(
          {
            ...ofPrincipals,
            trustPolicy: document(statement({ Principal: fc.record({ AWS }) }, ['sts:AssumeRole', 'sts:TagSession'])),
            maxSessionDuration: fc.constantFrom('1h', '90m', '43200s'),
            description: fc.constantFrom('', 'a role: "x"'),
          },
          ['trustPolicy'],
        ),
      ),
      users: entries(there.users, optional({ ...ofPrincipals, groups: some(there.groups) })),
      groups: entries(there.groups, optional(attached)),
      policies: entries(there.policies, optional({ document: policy, description: fc.constant('what') }, ['document'])),
    })
  })
const file = accountFile.map(written => ({ accounts: { [account]: written } }))

/** What every user and every session of a role may do: by caller, action and resource. */
function decisions(storage: Storage): Record<string, boolean> {
  const all = storage.principals.ofAccount(account)
  const roles = all.filter(one => one.type === 'role')
  const found: Record<string, boolean> = {}
  for (const principal of all) {
    const session = principal.type === 'role' ? { issuedAt: 0, expiresAt: 1, role: { name: 's' } } : undefined
    const caller = callerOf(principal, storage.principals.policiesOf(principal), 'AKIA', region, session)
    for (const action of actions) found[`${caller.arn} ${action}`] = mayCall(caller, action, key)
    for (const { arn, trustPolicy: text, trustPrincipals: principalIds } of roles) {
      const resource = { text, principalIds, kind: 'trust' } as const
      found[`${caller.arn} assumes ${arn}`] = mayCall(caller, 'sts:AssumeRole', arn, resource)
    }
  }
  return found
}

function mayCall(principal: Caller, action: string, resource: string, policy?: object): boolean {
  const tagged = (name: string) =>
    principal.tags.find(({ TagKey }) => name === `aws:principaltag/${TagKey.toLowerCase()}`)
  const context = (name: string) => {
    const tag = tagged(name)
    return tag && [tag.TagValue]
  }
  const policies = { ...policiesOf(principal), resource: policy as never }
  return decide({ principal, action, resource, account, context }, policies).allowed
}

describe('any file of identities', () => {
  const opened: Storage[] = []
  afterEach(async () => {
    for (const storage of opened.splice(0)) await storage.close()
  })
  async function empty(): Promise<Storage> {
    const storage = await openHere(sqlite(':memory:', { create: true }))
    opened.push(storage)
    return storage
  }
  const runs = { numRuns: 25 }

  it('is exported as one that changes nothing, and that decides alike in an empty installation', async () => {
    const allowed = new Set<boolean>()
    await fc.assert(
      fc.asyncProperty(file, async written => {
        const [one, two] = [await empty(), await empty()]
        await applied(written, one)
        const exported = await exportOf(one)
        expect(await applied(exported, one)).toEqual([])
        await applied(exported, two)
        expect(await exportOf(two)).toEqual(exported)
        expect(decisions(two)).toEqual(decisions(one))
        for (const decision of Object.values(decisions(one))) allowed.add(decision)
      }),
      runs,
    )
    expect(allowed).toEqual(new Set([true, false]))
  })

  it('means the same whatever file was applied before', async () => {
    await fc.assert(
      fc.asyncProperty(file, file, async (former, written) => {
        const [one, two] = [await empty(), await empty()]
        await applied(former, one)
        await applied(written, one)
        await applied(written, two)
        expect(decisions(one)).toEqual(decisions(two))
        expect(await applied(await exportOf(two), one)).toEqual([])
      }),
      runs,
    )
  })
})
