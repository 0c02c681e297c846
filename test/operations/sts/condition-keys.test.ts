import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { globalConditionKeyTypes, isGlobalKeyKnown } from '../../../src/authorization/global-condition-keys.ts'
import type { AccessRequest } from '../../../src/authorization/request.ts'
import { asciiLowerCase } from '../../../src/model/ascii.ts'
import type { AnyOperation } from '../../../src/operations/operation.ts'
import { operations } from '../../../src/operations/sts/catalogue.ts'
import { conditionKeys, roleActions } from '../../../src/operations/sts/condition-keys.ts'
import { policySubject } from '../../../src/operations/sts/policy-subject.ts'
import { type Call, checkPermissions } from '../../../src/permissions.ts'
import type { PathServices, Storage } from '../../../src/services.ts'
import { aUser } from '../../authorization/users.ts'
import { account, aRole, region } from '../../storage/records.ts'

/** Every condition key of AWS STS, as each operation contributes it. */

const backup = aRole('backup', { tags: [{ TagKey: 'Team', TagValue: 'Blue' }] })
const caller = { ...aUser(`arn:aws:iam::${account}:user/alice`, []), region }
const storage = {
  principals: {
    named: (of: string, _: string, name: string) => (of === account && name === 'backup' ? backup : undefined),
  },
} as unknown as Storage

/** Every operation that asks for permissions, with every member that conditions can ask for. */
const inputs: Readonly<Record<string, object>> = {
  AssumeRole: {
    RoleArn: backup.arn,
    RoleSessionName: 'nightly',
    ExternalId: 'Unique-ID/12',
    SourceIdentity: 'DiegoRamirez',
    Tags: [{ Key: 'Team', Value: 'Red' }],
    TransitiveTagKeys: ['Team'],
  },
  DecodeAuthorizationMessage: { EncodedMessage: 'x' },
  GetAccessKeyInfo: { AccessKeyId: 'AKIAEXAMPLE000000001' },
  GetCallerIdentity: {},
  GetSessionToken: {},
}
/** Who calls is known by a token: see the tests of web identities. */
const signed = operations.filter(operation => !('identify' in operation))

async function decided(name: string, change: object = {}): Promise<AccessRequest[]> {
  const operation = operations.find(operation => operation.name === name) as AnyOperation
  const input = { ...inputs[name], ...change }
  const target = await operation.target.find(input, { caller, storage, operation: name, hsms: undefined as never })
  const requests: AccessRequest[] = []
  const authorize = (request: AccessRequest) => {
    requests.push(request)
    return { allowed: true }
  }
  const entry = { sourceAddress: '192.0.2.1', userAgent: 'test', startedAt: 0 }
  const request = { headers: {}, secure: false }
  const call = { operation, caller, input, entry, request, api: { actionPrefix: 'sts:' } } as unknown as Call
  checkPermissions(target, call, { authorize } as unknown as PathServices)
  return requests
}

const valuesOf = ({ context }: AccessRequest, name: string) => context(asciiLowerCase(name))
const nameOf = (documented: string) => (documented.endsWith('/') ? `${documented}Team` : documented)

describe.each(signed.map(({ name }) => name))('%s', name => {
  it('has exactly the condition keys that are documented for its actions', async () => {
    for (const request of await decided(name)) {
      const action = request.action.slice('sts:'.length)
      const expected = conditionKeys.filter(({ actions, absent }) => actions.includes(action) && !absent)
      const present = conditionKeys.filter(({ name }) => valuesOf(request, nameOf(name)) !== undefined)
      expect(
        present.map(({ name }) => name),
        action,
      ).toEqual(expected.map(({ name }) => name))
    }
  })
})

describe.each(operations.map(operation => [operation.name, operation as AnyOperation] as const))(
  '%s',
  (name, operation) => {
    it('declares only documented condition keys', () => {
      for (const declared of Object.keys(operation.conditionKeys ?? {})) {
        expect(conditionKeys.find(({ name }) => name === declared)?.actions, declared).toContain(name)
      }
    })

    it('is an action of the vocabulary', () => {
      expect(policySubject.vocabulary.actions).toContain(name)
    })
  },
)

describe('the table of condition keys of AWS STS', () => {
  it('has each name once, whatever its case, and known actions only', () => {
    const names = conditionKeys.map(({ name }) => asciiLowerCase(name))
    expect(new Set(names).size).toBe(names.length)
    for (const { actions } of conditionKeys) {
      expect(policySubject.vocabulary.actions).toEqual(expect.arrayContaining([...actions]))
    }
  })

  it('agrees with the global condition keys on types', () => {
    for (const { name, type } of conditionKeys.filter(({ name }) => name.startsWith('aws:'))) {
      expect(globalConditionKeyTypes[name], name).toBe(type)
      expect(isGlobalKeyKnown(name), name).toBe(true)
    }
  })

  it.each<readonly [change: object, name: string, values: readonly string[] | undefined]>([
    [{}, 'sts:ExternalId', ['Unique-ID/12']],
    [{ ExternalId: undefined }, 'sts:ExternalId', undefined],
    [{}, 'STS:rolesessionname', ['nightly']],
    [{}, 'sts:SourceIdentity', ['DiegoRamirez']],
    [{ SourceIdentity: undefined }, 'sts:SourceIdentity', undefined],
    [{}, 'sts:TransitiveTagKeys', ['Team']],
    [{ TransitiveTagKeys: undefined }, 'sts:TransitiveTagKeys', undefined],
    [{ TransitiveTagKeys: [] }, 'sts:TransitiveTagKeys', undefined],
    [{}, 'aws:RequestTag/TEAM', ['Red']],
    [{}, 'aws:RequestTag/Other', undefined],
    [{ Tags: undefined, TransitiveTagKeys: undefined }, 'aws:TagKeys', undefined],
    [{}, 'aws:TagKeys', ['Team']],
    [{}, 'aws:ResourceTag/Team', ['Blue']],
    [{}, 'aws:ResourceAccount', [account]],
    [{ DurationSeconds: 3600 }, 'sts:DurationSeconds', undefined],
  ])('with %j has for %s %j', async (change, name, values) => {
    const [request] = await decided('AssumeRole', change)
    expect(valuesOf(request!, name)).toEqual(values)
  })
})

describe('docs/policies.md', () => {
  const page = readFileSync(new URL('../../../docs/policies.md', import.meta.url), 'utf8')
  const [, section = ''] = page.split(/^### Of AWS STS$/m)
  const rows = section
    .split(/^#/m)[0]!
    .split('\n')
    .filter(line => line.startsWith('| `'))

  const groups: Readonly<Record<string, readonly string[]>> = {
    'role operations': roleActions,
    'new sessions': roleActions.filter(action => action !== 'SetContext'),
  }

  it('lists every condition key of AWS STS that requests have, with its type and its operations', () => {
    const listed = rows.map(row => {
      const [name, type, operations] = row.slice(2).split(' | ')
      const actions = operations!.split(', ').flatMap(word => groups[word] ?? [word])
      return [/`(.*?)`/.exec(name!)![1], type, [...actions].sort()]
    })
    const known = conditionKeys.filter(({ absent }) => !absent)
    expect(listed).toEqual(known.map(({ name, type, actions }) => [name, type, [...actions].sort()]))
  })
})
