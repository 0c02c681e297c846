/** What every storage does. A test file calls this once for each engine. */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import { keyArn } from '../../src/model/arn.ts'
import { claimsOf } from '../../src/model/keys/custom-key-store.ts'
import type { Grant } from '../../src/model/keys/grant.ts'
import { type Key, objectsOf } from '../../src/model/keys/key.ts'
import { credentialName } from '../../src/model/xks/prefix.ts'
import { Changes, Conflict, type Noun, type Records, type Storage } from '../../src/storage/storage.ts'
import {
  aCustomKeyStore,
  account,
  aDestruction,
  aGrant,
  aGroup,
  aKey,
  aMaterial,
  anAccessKey,
  anAccount,
  anAlias,
  anExternalKeyStore,
  anObject,
  anOidcProvider,
  anXksKey,
  anXksPrefix,
  aPolicy,
  aPrincipal,
  aRole,
  aService,
  aSpareKey,
  aSystemKey,
  aWrappingKey,
  region,
} from '../storage/records.ts'

/** One database, empty at first. */
export interface StorageUnderTest {
  open(): Promise<Storage>
  dispose(): void | Promise<void>
}

/**
 * @param lasting whether commits survive when the database is opened again
 * @param numRuns of the property: each opens a database
 */
export function storageContract(name: string, lasting: boolean, create: () => StorageUnderTest, numRuns = 25): void {
  describe(`${name} as a storage`, () => {
    let database: StorageUnderTest
    let storage: Storage

    beforeEach(async () => {
      database = create()
      storage = await database.open()
    })
    afterEach(async () => {
      await storage.close()
      await database.dispose()
    })

    async function put<N extends Noun>(noun: N, ...records: Records[N][]): Promise<void> {
      const changes = new Changes()
      for (const record of records) changes.put(noun, record)
      await storage.commit(changes)
    }

    async function reopen(): Promise<void> {
      await storage.close()
      storage = await database.open()
    }

    it('commits one decision after another about a key, each by what it shows', async () => {
      for (const revision of [0, 1, 2]) {
        const changes = new Changes()
        const key = aKey(1, { revision, state: revision === 1 ? 'Disabled' : 'Enabled' })
        changes.basis = { number: storage.fleet.applied, scopes: [key.arn] }
        changes.put('keys', key)
        await storage.commit(changes)
      }
      expect(storage.keys.find(aKey(1).arn)?.revision).toBe(3)
    })

    it('behaves like the model under any sequence of changes', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
          const tried = create()
          let under = await tried.open()
          const expected = new Map<string, Key>()
          for (const { number, action, revision, tag } of steps) {
            const key = aKey(number, { revision, tags: [{ TagKey: 'k', TagValue: tag }] })
            const known = expected.get(key.arn)
            const changes = new Changes()
            changes[action]('keys', key)
            const fits = action === 'put' ? revision === (known?.revision ?? 0) : revision === known?.revision
            if (fits) await under.commit(changes)
            else await expect(under.commit(changes)).rejects.toBeInstanceOf(Conflict)
            if (fits && action === 'put') expected.set(key.arn, { ...key, revision: revision + 1 })
            if (fits && action === 'remove') expected.delete(key.arn)
          }
          if (lasting) {
            await under.close()
            under = await tried.open()
          }
          const inOrder = [...expected.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
          expect(await under.keys.list({ account, region, limit: 100 })).toEqual(inOrder)
          for (const key of inOrder) expect(under.keys.findByMaterial(key.materials[0]!.id, region)).toEqual(key)
          await under.close()
          await tried.dispose()
        }),
        { numRuns },
      )
    })

    it.runIf(lasting)('returns every record as it was put after it is opened again', async () => {
      const former = [aMaterial(9), aMaterial(10, { checkValue: new Uint8Array([1, 255]) })]
      const seal = { ...aSystemKey('seal', aMaterial(7)), former }
      const change = {
        publicKey: 'BASE64==',
        previous: 'ab'.repeat(32),
        time: '2026-01-01T00:00:00.000Z',
        signature: '',
      }
      const audit = {
        ...aSystemKey('audit', aMaterial(13, { publicKey: new Uint8Array([1, 255]) })),
        changes: [change, { ...change, signature: 'AA==' }],
      }
      const key = aKey(1, {
        state: 'PendingDeletion',
        deletionDate: 1_700_000_604_800,
        description: 'Grüße, 鍵 \u0000 \u2028 "quoted"',
        tags: [
          { TagKey: 'b', TagValue: '2' },
          { TagKey: 'a', TagValue: '' },
        ],
        materials: [
          aMaterial(1),
          aMaterial(2, { hsm: 'second', publicKey: new Uint8Array([0x30, 0, 255]) }),
          { ...aMaterial(3, { checkValue: new Uint8Array([0, 1, 255]) }), rotation: { type: 'AUTOMATIC', date: 3 } },
          { ...aMaterial(4), object: undefined, rotation: { type: 'ON_DEMAND', date: 4 }, imported: {} },
        ],
        pendingMaterial: { ...aMaterial(5), imported: { validTo: 1_700_000_604_800, description: 'five' } },
        automaticRotation: { periodInDays: 90, nextDate: 1_800_000_000_000 },
        manager: { service: 's3.amazonaws.com', owned: true },
        custodyFault: 'wrong_key',
        policyPrincipals: { [aPrincipal('administrator').arn]: 'AIDAADMINISTRATOR' },
      })
      const boundary = aPolicy('boundary', '{"Version":"2012-10-17"}', { description: 'Grüße', owner: 'file' })
      const group = aGroup('developers', { managedPolicies: [boundary.arn] })
      const principal = aPrincipal('administrator', { groups: ['developers'], createdAt: undefined })
      const role = aRole('backup', {
        permissionsBoundary: boundary.arn,
        trustPrincipals: { [aPrincipal('administrator').arn]: 'AIDAADMINISTRATOR' },
        sessionsRevokedBefore: 1_700_000_000_001,
        tags: [{ TagKey: 'team', TagValue: 'Überwachung' }],
      })
      const grants = [
        aGrant(1, key),
        aGrant(2, key, {
          name: 'one:/_-',
          grantee: { arn: role.arn, uniqueId: role.principalId },
          retiring: { arn: principal.arn, uniqueId: principal.principalId },
          operations: ['Decrypt', 'CreateGrant', 'Decrypt'],
          constraints: { EncryptionContextEquals: {}, EncryptionContextSubset: { 'Grüße "鍵"': '\u0000' } },
          fingerprint: 'ab'.repeat(32),
        }),
      ]
      const providers = [
        anOidcProvider('ci.example.com/a', { audiences: ['Grüße', 'sts.amazonaws.com'], owner: 'file' }),
        anOidcProvider('ci.example.com', { jwksUrl: 'https://keys.example.com', caFile: '/etc/ca.pem' }),
        anOidcProvider('cluster.local:6443', { jwksFile: '/etc/jwks.json' }),
      ]
      const service = aService('s3.amazonaws.com', principal, { accounts: [account, '444455556666'] })
      const plain = anAccessKey('AKIAPLAIN', principal)
      const others = [anAccessKey('AKIAFIRST', role), anAccessKey('AKIASECOND', role)]
      const changes = new Changes()
      const alias = anAlias('one', key, {
        formerKeys: [{ keyArn: aKey(2).arn, until: 1_700_000_000_001 }],
        successorKeyArn: aKey(3).arn,
      })
      changes.put('aliases', alias)
      for (const grant of grants) changes.put('grants', grant)
      changes.put('keys', key)
      changes.put('accessKeys', plain)
      for (const accessKey of others) changes.put('accessKeys', accessKey)
      changes.put('accounts', anAccount(account))
      changes.put('managedPolicies', boundary)
      for (const provider of providers) changes.put('oidcProviders', provider)
      changes.put('groups', group)
      changes.put('principals', principal)
      changes.put('principals', role)
      changes.put('services', service)
      changes.put('systemKeys', seal)
      changes.put('systemKeys', aSystemKey('canary', aMaterial(8, { checkValue: new Uint8Array([7]) })))
      changes.put('systemKeys', audit)
      changes.put('spareKeys', aSpareKey(anObject(10)))
      changes.put('wrappingKeys', aWrappingKey(12, key))
      const stores = [
        aCustomKeyStore(1, { state: 'FAILED', connectionErrorCode: 'USER_LOCKED_OUT', name: 'Grüße' }),
        anExternalKeyStore(2, {
          vpcEndpointServiceName: 'com.amazonaws.vpce.eu-west-1.vpce-svc-1',
          vpcEndpointServiceOwner: account,
        }),
        aCustomKeyStore(3, { cloudHsm: { clusterId: 'cluster-aaaaaaaaaaa', trustAnchorCertificate: 'PEM' } }),
      ]
      for (const store of stores) changes.put('customKeyStores', store)
      changes.put('destructions', aDestruction(anObject(9), key))
      changes.put('destructions', { ...aDestruction(anObject(11), key), keyArn: undefined })
      await storage.commit(changes)
      const seen = async () => ({
        key: storage.keys.find(key.arn),
        aliases: storage.aliases.ofKey(key.arn),
        grants: await storage.grants.list({ keyArn: key.arn, limit: 10 }),
        principal: storage.principals.find(principal.arn),
        role: storage.principals.find(role.arn),
        accounts: storage.accounts.all(),
        managedPolicies: storage.managedPolicies.ofAccount(account),
        groups: storage.groups.ofAccount(account),
        providers: providers.map(({ arn }) => storage.oidcProviders.find(arn)),
        providersOfAccount: storage.oidcProviders.ofAccount(account).length,
        accessKeys: storage.accessKeys.ofPrincipal(principal.arn),
        others: storage.accessKeys.ofPrincipal(role.arn),
        services: [
          storage.services.find(service.name),
          storage.services.ofUser(principal.arn),
          ...storage.services.all(),
        ],
        seal: storage.systemKeys.find('main', 'seal'),
        canary: storage.systemKeys.find('main', 'canary'),
        audit: storage.systemKeys.find('main', 'audit'),
        spares: storage.spareKeys.onHsm('main'),
        wrappingKeys: [storage.wrappingKeys.withObject(anObject(12).id), ...storage.wrappingKeys.ofKey(key.arn)],
        wrappingKeyOfDay: storage.wrappingKeys.ofDay(aWrappingKey(12, key)),
        customKeyStores: storage.customKeyStores.ofRegion(account, region),
        destructions: storage.destructions.list(),
      })
      const expected = {
        key: { ...key, revision: 1 },
        aliases: [{ ...alias, revision: 1 }],
        grants: grants.map(grant => ({ ...grant, revision: 1 })),
        principal: { ...principal, revision: 1 },
        role: { ...role, revision: 1 },
        accounts: [{ ...anAccount(account), revision: 1 }],
        managedPolicies: [{ ...boundary, revision: 1 }],
        groups: [{ ...group, revision: 1 }],
        providers: providers.map(provider => ({ ...provider, revision: 1 })),
        providersOfAccount: 3,
        accessKeys: [{ ...plain, revision: 1 }],
        others: others.map(accessKey => ({ ...accessKey, revision: 1 })),
        services: [1, 2, 3].map(() => ({ ...service, revision: 1 })),
        seal: { ...seal, revision: 1 },
        canary: { ...aSystemKey('canary', aMaterial(8, { checkValue: new Uint8Array([7]) })), revision: 1 },
        audit: { ...audit, revision: 1 },
        spares: [{ ...aSpareKey(anObject(10)), revision: 1 }],
        wrappingKeys: [1, 2].map(() => ({ ...aWrappingKey(12, key), revision: 1 })),
        wrappingKeyOfDay: { ...aWrappingKey(12, key), revision: 1 },
        customKeyStores: stores.map(store => ({ ...store, revision: 1 })),
        destructions: [
          { ...aDestruction(anObject(9), key), revision: 1 },
          { ...aDestruction(anObject(11), key), keyArn: undefined, revision: 1 },
        ],
      }
      expect(await seen()).toEqual(expected)
      await reopen()
      expect(await seen()).toEqual(expected)
    })

    it('returns immutable records, unaffected by later changes of what was put', async () => {
      const tags = [{ TagKey: 'k', TagValue: 'v' }]
      const key = aKey(1, { tags })
      const committed = put('keys', key)
      tags[0]!.TagValue = 'altered'
      await committed
      const found = storage.keys.find(key.arn)!
      expect(found.tags).toEqual([{ TagKey: 'k', TagValue: 'v' }])
      expect(() => Object.assign(found, { state: 'Disabled' })).toThrow(TypeError)
      expect(() => Object.assign(found.tags[0]!, { TagValue: 'altered' })).toThrow(TypeError)
      expect(() => Object.assign(found.materials[0]!.object!.custody, { extractable: true })).toThrow(TypeError)
    })

    it('refuses a record that was changed in between', async () => {
      await put('keys', aKey(1))
      const read = storage.keys.find(aKey(1).arn)!
      await put('keys', { ...read, description: 'first' })
      await expect(put('keys', { ...read, description: 'second' })).rejects.toBeInstanceOf(Conflict)
      expect(storage.keys.find(read.arn)).toMatchObject({ description: 'first', revision: 2 })
    })

    it('refuses a new record that already exists', async () => {
      await put('keys', aKey(1))
      await expect(put('keys', aKey(1, { description: 'second' }))).rejects.toBeInstanceOf(Conflict)
      expect(storage.keys.find(aKey(1).arn)).toMatchObject({ description: '', revision: 1 })
    })

    it('writes nothing of a commit in which one change conflicts', async () => {
      await put('keys', aKey(1))
      const changes = new Changes()
      changes.put('keys', aKey(2))
      changes.put('aliases', anAlias('two', aKey(2)))
      changes.put('keys', aKey(1))
      await expect(storage.commit(changes)).rejects.toBeInstanceOf(Conflict)
      expect(storage.keys.find(aKey(2).arn)).toBeUndefined()
      if (lasting) await reopen()
      expect(await storage.keys.list({ account, region, limit: 10 })).toHaveLength(1)
      expect(await storage.aliases.list({ account, region, limit: 10 })).toEqual([])
    })

    it('accepts exactly one of many concurrent commits of the same record', async () => {
      await put('keys', aKey(1))
      const read = storage.keys.find(aKey(1).arn)!
      const attempts = Array.from({ length: 20 }, (_, n) => put('keys', { ...read, description: `${n}` }))
      const outcomes = await Promise.allSettled(attempts)
      expect(outcomes.filter(outcome => outcome.status === 'fulfilled')).toHaveLength(1)
      expect(storage.keys.find(read.arn)!.revision).toBe(2)
    })

    it('never lists a partial commit', async () => {
      const commits = Array.from({ length: 20 }, (_, n) => put('keys', aKey(2 * n), aKey(2 * n + 1)))
      const listings = Array.from({ length: 20 }, () => storage.keys.list({ account, region, limit: 100 }))
      for (const listing of await Promise.all(listings)) {
        expect(listing.length % 2).toBe(0)
        expect(listing).not.toContain(undefined)
      }
      await Promise.all(commits)
    })

    it('does nothing for no changes', async () => {
      await storage.commit(new Changes())
      expect(await storage.keys.list({ account, region, limit: 10 })).toEqual([])
    })

    it('refuses an alias of a missing key', async () => {
      await expect(put('aliases', anAlias('lost', aKey(1)))).rejects.toBeInstanceOf(Conflict)
      expect(storage.aliases.find(anAlias('lost', aKey(1)).arn)).toBeUndefined()
    })

    it('refuses to remove a key but not its aliases', async () => {
      await put('keys', aKey(1))
      await put('aliases', anAlias('one', aKey(1)))
      const changes = new Changes()
      changes.remove('keys', storage.keys.find(aKey(1).arn)!)
      await expect(storage.commit(changes)).rejects.toBeInstanceOf(Conflict)
      expect(storage.keys.find(aKey(1).arn)).toBeDefined()
    })

    it('removes a key with its aliases and materials, in whatever order they are listed', async () => {
      await put('keys', aKey(1, { materials: [aMaterial(1), aMaterial(2)] }))
      await put('aliases', anAlias('one', aKey(1)), anAlias('uno', aKey(1)))
      const key = storage.keys.find(aKey(1).arn)!
      const changes = new Changes()
      changes.remove('keys', key)
      for (const alias of storage.aliases.ofKey(key.arn)) changes.remove('aliases', alias)
      for (const object of objectsOf(key)) changes.put('destructions', aDestruction(object, key))
      await storage.commit(changes)
      expect(storage.destructions.list()).toHaveLength(2)
      expect(storage.destructions.find('main', anObject(2).id)).toMatchObject({ keyArn: key.arn, revision: 1 })
      expect(storage.destructions.find('second', anObject(2).id)).toBeUndefined()
      expect(storage.keys.find(key.arn)).toBeUndefined()
      expect(storage.aliases.ofKey(key.arn)).toEqual([])
      expect(storage.keys.findByMaterial(aMaterial(2).id, region)).toBeUndefined()
      expect(storage.keys.objects()).toEqual(new Set())
      await put('keys', aKey(1))
      expect(storage.keys.find(key.arn)!.materials).toEqual([aMaterial(1)])
    })

    it('finds a principal by name in its account and by unique id, until it is gone', async () => {
      const user = aPrincipal('backup')
      const role = aRole('backup', { arn: `arn:aws-cn:iam::${account}:role/night/backup` })
      await put('principals', user, role)
      const found = () => ({
        user: storage.principals.named(account, 'user', 'backup')?.arn,
        role: storage.principals.named(account, 'role', 'backup')?.arn,
        byId: storage.principals.withId(role.principalId)?.arn,
        isKnown: storage.principals.isKnown(account),
      })
      expect(found()).toEqual({ user: user.arn, role: role.arn, byId: role.arn, isKnown: true })
      expect(storage.principals.named('444455556666', 'user', 'backup')).toBeUndefined()
      expect(storage.principals.isKnown('444455556666')).toBe(false)
      const changes = new Changes()
      changes.remove('principals', storage.principals.find(role.arn)!)
      await storage.commit(changes)
      if (lasting) await reopen()
      expect(found()).toEqual({ user: user.arn, role: undefined, byId: undefined, isKnown: true })
    })

    it.each([
      ['name', { arn: `arn:aws:iam::${account}:user/path/someone`, principalId: 'AIDAOTHER' }],
      ['unique id', { arn: `arn:aws:iam::${account}:user/other`, name: 'other' }],
    ])('refuses two users of an account with the same %s', async (_what, rest) => {
      await put('principals', aPrincipal('someone'))
      await expect(put('principals', aPrincipal('someone', rest))).rejects.toBeInstanceOf(Conflict)
      expect(storage.principals.named(account, 'user', 'someone')).toMatchObject({ arn: aPrincipal('someone').arn })
    })

    it('keeps names of principals, groups and policies unique without regard to case', async () => {
      await put('principals', aPrincipal('someone'), aRole('someone'))
      await put('groups', aGroup('readers'))
      await put('managedPolicies', aPolicy('read', '{}'))
      const alike = { principalId: 'AIDAOTHER', groupId: 'AGPAOTHER', policyId: 'ANPAOTHER' }
      await expect(put('principals', aPrincipal('SomeOne', alike))).rejects.toBeInstanceOf(Conflict)
      await expect(put('groups', aGroup('Readers', alike))).rejects.toBeInstanceOf(Conflict)
      await expect(put('managedPolicies', aPolicy('READ', '{}', alike))).rejects.toBeInstanceOf(Conflict)
      expect(storage.principals.holding(account, 'role', 'SOMEONE')?.arn).toBe(aRole('someone').arn)
      expect(storage.principals.named(account, 'role', 'SOMEONE')).toBeUndefined()
      expect(storage.groups.named(account, 'READERS')?.name).toBe('readers')
      expect(storage.managedPolicies.named(account, 'Read')?.name).toBe('read')
    })

    it.each([
      ['name', aCustomKeyStore(1), aCustomKeyStore(2, { name: 'store 1' })],
      [
        'cluster',
        aCustomKeyStore(1),
        aCustomKeyStore(2, { cloudHsm: aCustomKeyStore(1).cloudHsm, region: 'eu-west-2' }),
      ],
      ['proxy URI', anExternalKeyStore(1), anExternalKeyStore(2, { uriPath: '/1/kms/xks/v1' })],
    ])(
      'refuses two custom key stores with the same %s, when the second is put and when it is changed',
      async (_what, first, second) => {
        await put('customKeyStores', first)
        await expect(put('customKeyStores', second)).rejects.toBeInstanceOf(Conflict)
        const other = second.type === 'AWS_CLOUDHSM' ? aCustomKeyStore(2) : anExternalKeyStore(2)
        await put('customKeyStores', other)
        await expect(put('customKeyStores', { ...second, revision: 1 })).rejects.toBeInstanceOf(Conflict)
        expect(storage.customKeyStores.find(other.id)).toEqual({ ...other, revision: 1 })
        await put('customKeyStores', { ...first, name: 'changed', revision: 1 })
        const claim = claimsOf(first)[0]!
        expect(storage.customKeyStores.holding(claim)).toBeUndefined()
        expect(storage.customKeyStores.all()).toHaveLength(2)
      },
    )

    it('removes a custom key store only without keys, and puts no key in one that is gone', async () => {
      const [store, key] = [aCustomKeyStore(1), aKey(1, { customKeyStoreId: aCustomKeyStore(1).id })]
      await expect(put('keys', key)).rejects.toBeInstanceOf(Conflict)
      await put('customKeyStores', store)
      await put('keys', key)
      expect(storage.keys.inStore(store.id).map(({ arn }) => arn)).toEqual([key.arn])
      const remove = () => {
        const changes = new Changes()
        changes.remove('customKeyStores', storage.customKeyStores.find(store.id)!)
        return storage.commit(changes)
      }
      await expect(remove()).rejects.toBeInstanceOf(Conflict)
      const changes = new Changes()
      changes.remove('keys', storage.keys.find(key.arn)!)
      await storage.commit(changes)
      await remove()
      expect(storage.customKeyStores.all()).toEqual([])
      await put('customKeyStores', store)
    })

    it('refuses a second primary key with the same id in another region of the partition', async () => {
      const id = `mrk-${'0'.repeat(32)}`
      const inRegion = (region: string, kind: 'PRIMARY' | 'REPLICA', rest: object = {}) =>
        aKey(1, { id, region, arn: keyArn({ account: aKey(1).account, region }, id), multiRegion: kind, ...rest })
      await put('keys', inRegion('us-east-1', 'PRIMARY'))
      await expect(put('keys', inRegion('eu-west-1', 'PRIMARY'))).rejects.toBeInstanceOf(Conflict)
      expect(storage.keys.related(inRegion('us-east-1', 'PRIMARY'))).toEqual([])
      await put('keys', inRegion('cn-north-1', 'PRIMARY'))
      await put('keys', inRegion('eu-west-1', 'REPLICA'))
      const promoted = new Changes()
      promoted.put('keys', inRegion('us-east-1', 'REPLICA', { revision: 1 }))
      promoted.put('keys', inRegion('eu-west-1', 'PRIMARY', { revision: 1 }))
      await storage.commit(promoted)
      expect(storage.keys.related(inRegion('us-east-1', 'REPLICA')).map(key => key.multiRegion)).toEqual(['PRIMARY'])
    })

    it('has one key of a store for each external key', async () => {
      await put('customKeyStores', anExternalKeyStore(1), anExternalKeyStore(2))
      const [one, two] = [anExternalKeyStore(1).id, anExternalKeyStore(2).id]
      const external = (number: number, customKeyStoreId: string) => aKey(number, { customKeyStoreId, xksKeyId: 'key' })
      await put('keys', external(1, one), external(2, two))
      await expect(put('keys', external(3, one))).rejects.toBeInstanceOf(Conflict)
    })

    it('has new policies of a user as soon as one of them or of its groups changes', async () => {
      const user = aPrincipal('someone', {
        inlinePolicies: [],
        groups: ['readers'],
        managedPolicies: [aPolicy('read', '').arn],
      })
      const texts = () => storage.principals.policiesOf(storage.principals.find(user.arn)!).policies
      await put('managedPolicies', aPolicy('read', 'first'))
      await put('principals', user)
      expect(texts()).toEqual(['first'])
      const before = storage.identitiesVersion
      await put('managedPolicies', aPolicy('read', 'second', { revision: 1 }))
      await put('groups', aGroup('readers', { inlinePolicies: [{ name: 'own', document: 'of the group' }] }))
      expect(texts()).toEqual(['second', 'of the group'])
      expect(storage.identitiesVersion).toBe(before + 2)
      await put('keys', aKey(1))
      expect(storage.identitiesVersion).toBe(before + 2)
    })

    it('keeps the last use of each access key, and forgets it with the access key', async () => {
      const user = aPrincipal('someone')
      await put('principals', user)
      await put('accessKeys', anAccessKey('AKIAFIRST', user))
      const use = { accessKeyId: 'AKIAFIRST', usedAt: 1, region, service: 'kms', sourceAddress: '127.0.0.1' }
      storage.accessKeys.recordUse(use)
      await storage.writeUses()
      storage.accessKeys.recordUse({ ...use, usedAt: 2 })
      expect(await storage.accessKeys.lastUse('AKIAFIRST')).toEqual({ ...use, usedAt: 2 })
      if (lasting) await reopen()
      else await storage.writeUses()
      expect(await storage.accessKeys.lastUse('AKIAFIRST')).toEqual({ ...use, usedAt: 2 })
      const removal = new Changes()
      removal.remove('accessKeys', storage.accessKeys.find('AKIAFIRST')!)
      await storage.commit(removal)
      storage.accessKeys.recordUse({ ...use, accessKeyId: 'AKIAOTHER' })
      await storage.writeUses()
      for (const id of ['AKIAFIRST', 'AKIAOTHER']) expect(await storage.accessKeys.lastUse(id)).toBeUndefined()
    })

    it('has external keys by prefix and id, as they were put, and no prefix is removed before them', async () => {
      const clientCertificate = { commonName: 'cks.kms.eu-central-1.amazonaws.com', ca: 'PEM' }
      const prefix = anXksPrefix('tenant/a', { frozen: true, clientCertificate, quota: 1800, sampleProxyAad: true })
      const plain = anXksPrefix('')
      const pinned = anXksKey(prefix, 'same.id', { frozen: true, pinFirstUser: true, pinnedTo: aKey(2).arn })
      const other = anXksKey(plain, 'same.id')
      await put('xksPrefixes', prefix, plain)
      await put('xksKeys', pinned, other)
      if (lasting) await reopen()
      expect(storage.xksPrefixes.find('tenant/a')).toEqual({ ...prefix, revision: 1 })
      expect(storage.xksPrefixes.all()).toHaveLength(2)
      expect(storage.xksKeys.find('tenant/a', 'same.id')).toEqual({ ...pinned, revision: 1 })
      expect(storage.xksKeys.ofPrefix('')).toEqual([{ ...other, revision: 1 }])
      expect(storage.xksKeys.find('tenant', 'a/same.id')).toBeUndefined()
      await expect(put('xksKeys', anXksKey(anXksPrefix('missing'), 'id'))).rejects.toBeInstanceOf(Conflict)
      const removal = new Changes()
      removal.remove('xksPrefixes', storage.xksPrefixes.find('')!)
      await expect(storage.commit(removal)).rejects.toBeInstanceOf(Conflict)
      removal.remove('xksKeys', storage.xksKeys.find('', 'same.id')!)
      await storage.commit(removal)
      expect(storage.xksPrefixes.find('')).toBeUndefined()
    })

    it('keeps the last use of each XKS credential, and forgets it with the credential', async () => {
      const prefix = anXksPrefix('a')
      await put('xksPrefixes', prefix)
      const accessKeyId = credentialName('a', prefix.credentials[0]!.accessKeyId)
      const use = { accessKeyId, usedAt: 1, region, service: 'kms-xks-proxy', sourceAddress: '127.0.0.1' }
      storage.accessKeys.recordUse(use)
      if (lasting) await reopen()
      else await storage.writeUses()
      expect(await storage.accessKeys.lastUse(accessKeyId)).toEqual(use)
      await put('xksPrefixes', { ...storage.xksPrefixes.find('a')!, credentials: [] })
      storage.accessKeys.recordUse(use)
      await storage.writeUses()
      expect(await storage.accessKeys.lastUse(accessKeyId)).toBeUndefined()
    })

    it('keeps the last use of each key, and forgets it with the key', async () => {
      const [key, other] = [aKey(1), aKey(2)]
      await put('keys', key, other)
      const use = { keyArn: key.arn, operation: 'Encrypt', usedAt: 1, eventId: 'event', requestId: 'request' }
      storage.keys.recordUse(use)
      await storage.writeUses()
      const next = { ...use, operation: 'Decrypt', usedAt: 2, eventId: 'other event', requestId: 'other request' }
      storage.keys.recordUse(next)
      expect(await storage.keys.lastUse(key.arn)).toEqual(next)
      const { trackingStart } = storage
      if (lasting) await reopen()
      else await storage.writeUses()
      expect(storage.trackingStart).toBe(trackingStart)
      expect(await storage.keys.lastUse(key.arn)).toEqual(next)
      expect(await storage.keys.lastUse(other.arn)).toBeUndefined()
      storage.keys.recordUse({ ...use, usedAt: 3 })
      const removal = new Changes()
      removal.remove('keys', storage.keys.find(key.arn)!)
      await storage.commit(removal)
      await storage.writeUses()
      expect(await storage.keys.lastUse(key.arn)).toBeUndefined()
    })

    it('keeps the number of encryptions under each material, and forgets it with the last key that has the material', async () => {
      const material = aMaterial(1)
      const primary = aKey(1, { id: 'mrk-1', materials: [material] })
      const replica = aKey(2, { id: 'mrk-1', region: 'us-east-1', materials: [material] })
      const single = aKey(3)
      const seal = aSystemKey('seal', aMaterial(4))
      await put('keys', primary, replica, single)
      await put('systemKeys', seal)
      const materials = [material, seal.material, aMaterial(3)].map(({ id }) => id)
      for (const id of materials) for (let i = 0; i < 3; i++) expect(storage.encryptions.count(id)).toBeUndefined()
      const made = () => materials.map(id => storage.encryptions.made(id))
      expect(made()).toEqual([3, 3, 3])
      if (lasting) await reopen()
      expect(made()).toEqual([3, 3, 3])
      const remove = async (arn: string) => {
        const removal = new Changes()
        removal.remove('keys', storage.keys.find(arn)!)
        await storage.commit(removal)
      }
      await remove(single.arn)
      await remove(primary.arn)
      expect(made()).toEqual([3, 3, 0])
      if (lasting) await reopen()
      expect(made()).toEqual([3, 3, 0])
      await remove(replica.arn)
      expect(made()).toEqual([0, 3, 0])
      if (lasting) await reopen()
      expect(made()).toEqual([0, 3, 0])
    })

    it('refuses to remove a user but not its access keys', async () => {
      const user = aPrincipal('backup')
      await put('principals', user)
      await put('accessKeys', anAccessKey('AKIAFIRST', user))
      const changes = new Changes()
      changes.remove('principals', storage.principals.find(user.arn)!)
      await expect(storage.commit(changes)).rejects.toBeInstanceOf(Conflict)
    })

    it('has one service for a user, which is not removed without it', async () => {
      const user = aPrincipal('backup')
      await put('principals', user)
      await put('services', aService('s3.amazonaws.com', user))
      await expect(put('services', aService('ebs.amazonaws.com', user))).rejects.toBeInstanceOf(Conflict)
      const changes = new Changes()
      changes.remove('principals', storage.principals.find(user.arn)!)
      await expect(storage.commit(changes)).rejects.toBeInstanceOf(Conflict)
      changes.remove('services', storage.services.find('s3.amazonaws.com')!)
      await storage.commit(changes)
      expect(storage.services.ofUser(user.arn)).toBeUndefined()
    })

    it('removes a key with its grants, which no other key loses', async () => {
      await put('keys', aKey(1), aKey(2))
      const retiring = { arn: aPrincipal('retirer').arn }
      const many = Array.from({ length: 100 }, (_, number) =>
        aGrant(number, aKey(1), { retiring, fingerprint: `${number}` }),
      )
      await put('grants', ...many, aGrant(1, aKey(2), { retiring, fingerprint: '1' }))
      expect([aKey(1), aKey(2)].map(({ arn }) => storage.grants.count(arn))).toEqual([100, 1])
      const removal = new Changes()
      removal.remove('keys', storage.keys.find(aKey(1).arn)!)
      await storage.commit(removal)
      if (lasting) await reopen()
      expect([aKey(1), aKey(2)].map(({ arn }) => storage.grants.count(arn))).toEqual([0, 1])
      expect(storage.grants.find(aKey(1).arn, many[1]!.id)).toBeUndefined()
      expect(storage.grants.findByFingerprint(aKey(1).arn, '1')).toBeUndefined()
      const toRetire = { region, retiringArn: retiring.arn, retiringId: undefined, limit: 10 }
      expect((await storage.grants.list(toRetire)).map(({ keyArn }) => keyArn)).toEqual([aKey(2).arn])
      await put('keys', aKey(1))
      await put('grants', ...many)
      expect(storage.grants.count(aKey(1).arn)).toBe(100)
    })

    it('keeps one grant of a key for each fingerprint, and none of a missing key', async () => {
      await put('keys', aKey(1), aKey(2))
      await put('grants', aGrant(1, aKey(1), { fingerprint: 'one' }))
      await put('grants', aGrant(2, aKey(2), { fingerprint: 'one' }), aGrant(3, aKey(1)), aGrant(4, aKey(1)))
      await expect(put('grants', aGrant(5, aKey(1), { fingerprint: 'one' }))).rejects.toBeInstanceOf(Conflict)
      await expect(put('grants', aGrant(6, aKey(3)))).rejects.toBeInstanceOf(Conflict)
      expect(storage.grants.findByFingerprint(aKey(1).arn, 'one')?.id).toBe(aGrant(1, aKey(1)).id)
      expect(storage.grants.count(aKey(1).arn)).toBe(3)
    })

    it('finds the grants to a principal by operation and encryption context', async () => {
      await put('keys', aKey(1), aKey(2))
      const grantee = { arn: aPrincipal('app').arn, uniqueId: aPrincipal('app').principalId }
      await put(
        'grants',
        aGrant(1, aKey(1), { grantee }),
        aGrant(2, aKey(1), { grantee, constraints: { EncryptionContextSubset: { app: '2' } } }),
        aGrant(3, aKey(1), { grantee: { arn: grantee.arn, uniqueId: undefined } }),
        aGrant(4, aKey(2), { grantee }),
      )
      const found = (search: object, context: Record<string, string>) => {
        const ids: number[] = []
        const constraints = { EncryptionContextEquals: context }
        const accept = ({ id }: Grant) => ids.push(Number(id)) === 0
        storage.grants.search({ keyArn: aKey(1).arn, grantee, operation: 'Encrypt', constraints, accept, ...search })
        return ids
      }
      expect(found({}, { app: '2', more: '' })).toEqual([1, 2])
      expect(found({}, { app: '3' })).toEqual([1])
      expect(found({ operation: 'GenerateDataKey' }, {})).toEqual([])
      expect(found({ grantee: { arn: grantee.arn } }, {})).toEqual([3])
      const removal = new Changes()
      removal.remove('grants', storage.grants.find(aKey(1).arn, aGrant(1, aKey(1)).id)!)
      await storage.commit(removal)
      if (lasting) await reopen()
      expect(found({}, { app: '2' })).toEqual([2])
    })

    it('pages through the grants of a key, of one grantee, and of a retiring principal in a region', async () => {
      const [key, other, elsewhere] = [aKey(1), aKey(2, { account: '444455556666' }), aKey(3, { region: 'us-east-1' })]
      const [arn, grantee] = [aPrincipal('retirer').arn, { arn: aPrincipal('app').arn }]
      await put('keys', key, other, elsewhere)
      await put(
        'grants',
        ...[5, 2, 9].map(number => aGrant(number, key, { retiring: { arn, uniqueId: 'AIDANOW' } })),
        aGrant(3, key, { grantee, retiring: { arn, uniqueId: 'AIDAFORMER' } }),
        aGrant(7, key, { grantee }),
        aGrant(4, other, { retiring: { arn } }),
        aGrant(6, elsewhere, { retiring: { arn, uniqueId: 'AIDANOW' } }),
      )
      const ids = async (page: Parameters<Storage['grants']['list']>[0]) =>
        (await storage.grants.list(page)).map(({ id }) => Number(id))
      expect(await ids({ keyArn: key.arn, limit: 3 })).toEqual([2, 3, 5])
      expect(await ids({ keyArn: key.arn, limit: 3, after: aGrant(5, key).id })).toEqual([7, 9])
      expect(await ids({ keyArn: key.arn, granteeArn: grantee.arn, limit: 1 })).toEqual([3])
      const after = aGrant(3, key).id
      expect(await ids({ keyArn: key.arn, granteeArn: grantee.arn, limit: 9, after })).toEqual([7])
      const toRetire = { region, retiringArn: arn, limit: 9 }
      expect(await ids({ ...toRetire, retiringId: 'AIDANOW' })).toEqual([2, 4, 5, 9])
      expect(await ids({ ...toRetire, retiringId: 'AIDANOW', after })).toEqual([4, 5, 9])
      expect(await ids({ ...toRetire, retiringId: undefined })).toEqual([4])
    })

    it('finds a key by each material it has had, in its own region only', async () => {
      const here = aKey(1, { materials: [aMaterial(1), aMaterial(2)] })
      const there = aKey(1, { region: 'us-east-1', materials: [aMaterial(2)] })
      await put('keys', here, there)
      expect(storage.keys.findByMaterial(aMaterial(1).id, region)?.arn).toBe(here.arn)
      expect(storage.keys.findByMaterial(aMaterial(2).id, region)?.arn).toBe(here.arn)
      expect(storage.keys.findByMaterial(aMaterial(2).id, 'us-east-1')?.arn).toBe(there.arn)
      expect(storage.keys.findByMaterial(aMaterial(1).id, 'us-east-1')).toBeUndefined()
      const rotated = { ...storage.keys.find(here.arn)!, materials: [aMaterial(1), aMaterial(2), aMaterial(3)] }
      await put('keys', rotated)
      for (const number of [1, 2, 3]) {
        expect(storage.keys.findByMaterial(aMaterial(number).id, region)!.revision).toBe(2)
      }
    })

    it('finds every key that has an object, on whatever HSM', async () => {
      const shared = aMaterial(2)
      const elsewhere = aMaterial(2, { hsm: 'second' })
      await put(
        'keys',
        aKey(1, { materials: [aMaterial(1), shared] }),
        aKey(1, { region: 'us-east-1', pendingMaterial: shared }),
        aKey(3, { materials: [{ ...aMaterial(3), object: undefined }, elsewhere] }),
      )
      const users = (number: number) =>
        [...storage.keys.findByObject(anObject(number).id)].map(({ id, region }) => `${region} ${id.slice(-1)}`).sort()
      expect(users(2)).toEqual([`${region} 1`, `${region} 3`, 'us-east-1 1'])
      expect(users(3)).toEqual([])
      const changes = new Changes()
      changes.put('keys', { ...storage.keys.find(aKey(1).arn)!, materials: [aMaterial(1)] })
      changes.remove('keys', storage.keys.find(aKey(3).arn)!)
      await storage.commit(changes)
      expect(users(2)).toEqual(['us-east-1 1'])
      expect(users(1)).toEqual([`${region} 1`, 'us-east-1 1'])
    })

    it('finds the related keys of a multi-Region key: of the same id, account and partition, in other regions', async () => {
      const id = 'mrk-1234abcd12ab34cd56ef1234567890ab'
      const primary = aKey(1, { id, multiRegion: 'PRIMARY' })
      const replicas = ['us-east-1', 'eu-west-1'].map(region => aKey(2, { id, region, multiRegion: 'REPLICA' }))
      const elsewhere = aKey(3, { id, account: '444455556666', multiRegion: 'PRIMARY' })
      const arn = `arn:aws-cn:kms:cn-north-1:${account}:key/${id}`
      const inChina = aKey(4, { id, arn, region: 'cn-north-1', multiRegion: 'PRIMARY' })
      const single = aKey(5)
      await put('keys', primary, ...replicas, elsewhere, inChina, single, aKey(5, { region: 'us-east-1' }))
      const related = (key: Key) => new Set(storage.keys.related(key).map(({ arn }) => arn))
      const all = () => {
        expect(related(primary)).toEqual(new Set(replicas.map(({ arn }) => arn)))
        expect(related(replicas[0]!)).toEqual(new Set([primary.arn, replicas[1]!.arn]))
        for (const key of [elsewhere, inChina, single]) expect(related(key)).toEqual(new Set())
        // A replica to be.
        expect(related(aKey(6, { id, region: 'eu-west-2' })).size).toBe(3)
      }
      all()
      if (lasting) {
        await reopen()
        all()
      }
      const removal = new Changes()
      removal.remove('keys', storage.keys.find(replicas[0]!.arn)!)
      await storage.commit(removal)
      expect(related(primary)).toEqual(new Set([replicas[1]!.arn]))
    })

    it('pages through keys in order of id, within one account and region', async () => {
      const elsewhere = [aKey(3, { region: 'us-east-1' }), aKey(4, { account: '444455556666' })]
      await put('keys', ...[5, 2, 9, 1, 7].map(number => aKey(number)), ...elsewhere)
      const first = await storage.keys.list({ account, region, limit: 2 })
      const second = await storage.keys.list({ account, region, limit: 2, after: first[1]!.id })
      const third = await storage.keys.list({ account, region, limit: 2, after: second[1]!.id })
      expect([first, second, third].map(page => page.map(key => key.creationDate % 100))).toEqual([[1, 2], [5, 7], [9]])
      expect(await storage.keys.list({ account, region, limit: 2, after: third[0]!.id })).toEqual([])
    })

    it('lists AWS managed keys, and no AWS owned ones', async () => {
      const [managed, owned] = [false, true].map((owned, number) =>
        aKey(number, { manager: { service: 's3.amazonaws.com', owned } }),
      )
      await put('keys', managed!, owned!)
      expect(await storage.keys.list({ account, region, limit: 2 })).toEqual([storage.keys.find(managed!.arn)])
    })

    it('pages through aliases in the byte order of their names, of all keys or of one', async () => {
      await put('keys', aKey(1), aKey(2))
      await put('aliases', ...['b', 'B', 'a_', 'a/', 'a-'].map(name => anAlias(name, aKey(1))), anAlias('aa', aKey(2)))
      const names = async (rest: object) =>
        (await storage.aliases.list({ account, region, limit: 10, ...rest })).map(alias => alias.name.slice(6))
      expect(await names({})).toEqual(['B', 'a-', 'a/', 'a_', 'aa', 'b'])
      expect(await names({ after: 'alias/a/' })).toEqual(['a_', 'aa', 'b'])
      expect(await names({ targetKeyArn: aKey(1).arn, after: 'alias/a/', limit: 1 })).toEqual(['a_'])
      expect(await names({ region: 'us-east-1' })).toEqual([])
    })

    it('finds aliases of an account by their name, in all regions', async () => {
      const key = aKey(1)
      const elsewhere = aKey(2, { region: 'eu-west-1', arn: key.arn.replace(region, 'eu-west-1') })
      const foreign = aKey(3, { account: '444455556666' })
      await put('keys', key, elsewhere, foreign)
      await put('aliases', ...[key, elsewhere, foreign].map(target => anAlias('one', target)), anAlias('two', key))
      const found = storage.aliases.named(account, 'alias/one').map(alias => alias.targetKeyArn)
      expect(found.sort()).toEqual([key.arn, elsewhere.arn].sort())
    })

    it('moves an alias from one key to the other', async () => {
      await put('keys', aKey(1), aKey(2))
      await put('aliases', anAlias('moving', aKey(1)))
      const alias = storage.aliases.find(anAlias('moving', aKey(1)).arn)!
      await put('aliases', { ...alias, targetKeyArn: aKey(2).arn })
      expect(storage.aliases.ofKey(aKey(1).arn)).toEqual([])
      expect(storage.aliases.ofKey(aKey(2).arn)).toEqual([{ ...alias, targetKeyArn: aKey(2).arn, revision: 2 }])
    })

    it('lists exactly the keys that are due for rotation, in the order of days', async () => {
      const [day, date] = [86_400_000, 1000 * 86_400_000 + 5]
      const next = (nextDate: number) => ({ automaticRotation: { periodInDays: 365, nextDate } })
      await put(
        'keys',
        aKey(1, next(date)),
        aKey(2, next(date - day)),
        aKey(3, next(date + 1)),
        aKey(4, { ...next(1), state: 'Disabled' }),
        aKey(5, { ...next(1), state: 'PendingDeletion', deletionDate: 2000 }),
        aKey(6, { ...next(1), custodyFault: 'missing' }),
        aKey(7),
        aKey(8, next(date + day)),
        aKey(9, next(date - 2 * day)),
      )
      const due = (now: number) => storage.keys.dueForRotation(now).map(({ id }) => Number(id.slice(-2)))
      expect(due(date)).toEqual([9, 2, 1])
      expect(due(date - 1)).toEqual([9, 2])
      expect(due(Number.POSITIVE_INFINITY)).toEqual([9, 2, 1, 3, 8])
      const read = (number: number) => storage.keys.find(aKey(number).arn)!
      await put('keys', { ...read(9), ...next(date + 9 * day) }, { ...read(2), state: 'Disabled' })
      await put('keys', { ...read(4), state: 'Enabled' }, { ...read(6), custodyFault: undefined })
      const removal = new Changes()
      removal.remove('keys', read(1))
      await storage.commit(removal)
      expect([...due(date)].sort()).toEqual([4, 6])
    })

    it('lists exactly the keys whose deletion is due', async () => {
      const pending = { state: 'PendingDeletion' } as const
      await put(
        'keys',
        aKey(1, { ...pending, deletionDate: 999 }),
        aKey(2, { ...pending, deletionDate: 1000 }),
        aKey(3, { ...pending, deletionDate: 1001 }),
        aKey(4),
      )
      expect(storage.keys.dueForDeletion(1000).map(key => key.arn)).toEqual([aKey(1).arn, aKey(2).arn])
    })

    it('finds the keys that have an object on an HSM', async () => {
      const moved = aKey(2, { materials: [aMaterial(2, { hsm: 'second' }), aMaterial(3)] })
      const expired = { ...aMaterial(6), object: undefined }
      const pending = aKey(5, {
        origin: 'EXTERNAL',
        materials: [expired],
        pendingMaterial: aMaterial(5, { hsm: 'second' }),
      })
      await put('keys', aKey(1), moved, aKey(4, { materials: [aMaterial(4, { hsm: 'third' })] }), pending)
      expect(storage.keys.onHsm('main').map(({ arn }) => arn)).toEqual([aKey(1).arn, moved.arn])
      expect(storage.keys.onHsm('second').map(({ arn }) => arn)).toEqual([moved.arn, pending.arn])
    })

    it('lists every object, including those of system keys, spare keys and wrapping keys', async () => {
      await put('keys', aKey(1, { materials: [aMaterial(1), aMaterial(2, { hsm: 'second' })] }), aKey(3))
      await put('systemKeys', aSystemKey('seal', aMaterial(4)), aSystemKey('seal', aMaterial(5, { hsm: 'second' })))
      await put('spareKeys', aSpareKey(anObject(6)), aSpareKey(anObject(7, { hsm: 'second' })))
      await put('wrappingKeys', aWrappingKey(8, aKey(1)))
      expect(storage.keys.objects()).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8].map(number => aMaterial(number).id)))
      expect(storage.systemKeys.find('second', 'canary')).toBeUndefined()
    })

    it('keeps the record of each commit, and of none that conflicts, until it is removed', async () => {
      const held = (number: number) => ({ eventId: `event-${number}`, position: `file:${number}`, record: '{"ü":1}' })
      const kept = (number: number) => ({ ...held(number), number })
      const positions = async () => (await storage.journals.list())[0]?.positions
      await storage.journals.register('file')
      const byId = async () => (await storage.outbox.list()).toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1))
      const commit = (number: number) => storage.commit(changing(aKey(number)), held(number))
      expect(await positions()).toBeUndefined()
      for (const number of [1, 2, 3]) expect(await commit(number)).toBe(number)
      expect(await storage.lastChange()).toBe(3)
      await expect(commit(2)).rejects.toThrow(Conflict)
      await put('keys', aKey(4))
      await expect(commit(4)).rejects.toBeInstanceOf(Conflict)
      expect(await byId()).toEqual([kept(1), kept(2), kept(3)])
      await storage.outbox.remove(['event-1', 'event-3', 'unknown'], 'file', { end: 'file:9', earliest: 'file:7' })
      if (lasting) await reopen()
      expect(await byId()).toEqual([kept(2)])
      expect(await positions()).toEqual({ end: 'file:9', earliest: 'file:7' })
    })

    it('removes more records at a time than a statement allows parameters', async () => {
      const [changes, eventIds] = [changing(aKey(1)), Array.from({ length: 70_000 }, (_, number) => `event-${number}`)]
      await storage.commit(changes, { eventId: 'event-69999', position: '', record: '{}' })
      await storage.outbox.remove(eventIds, 'file', { end: 'file:1', earliest: 'file:1' })
      expect(await storage.outbox.list()).toEqual([])
    })

    it('stores the reading of the clock', async () => {
      const reading = { wall: 1_700_000_000_000, trusted: true, observed: 1, drift: 2, gap: 3 }
      expect((await storage.clock.read()).reading).toBeUndefined()
      for (const trusted of [true, false]) await storage.clock.write({ ...reading, trusted })
      if (lasting) await reopen()
      expect((await storage.clock.read()).reading).toEqual({ ...reading, trusted: false })
    })

    it('moves records to another journal, and remembers from which', async () => {
      const held = (number: number, journal: string) => {
        return { eventId: `event-${number}`, position: `${journal}:1:${number}`, record: '{}' }
      }
      const commit = (number: number, ...records: ReturnType<typeof held>[]) =>
        storage.commit(changing(aKey(number)), ...records)
      await commit(1, held(1, 'lost'), held(2, 'lost'))
      await commit(2, held(3, 'lost'))
      await commit(3, held(4, 'other'))
      expect(await storage.outbox.takeOver(['event-1', 'event-2', 'unknown'], 'own:7:8')).toEqual([
        'event-1',
        'event-2',
      ])
      expect(await storage.outbox.takenFrom('lost')).toEqual(['event-1', 'event-2'])
      // Also by a third one: the first journal may have it.
      await storage.outbox.takeOver(['event-2'], 'third:1:1')
      if (lasting) await reopen()
      const found = (await storage.outbox.list()).toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1))
      expect(found).toEqual([
        { ...held(1, 'lost'), position: 'own:7:8', number: 1, origin: 'lost' },
        { ...held(2, 'lost'), position: 'third:1:1', origin: 'lost' },
        { ...held(3, 'lost'), number: 2 },
        { ...held(4, 'other'), number: 3 },
      ])
    })

    it('remembers every journal, with its gateway, its last signed block and the last run', async () => {
      const run = { version: '1.2.3', settings: { 'listen.port': '7700' }, stopped: false }
      const head = { segment: 1, block: 2, record: 3, hash: 'ab' }
      expect(await storage.journals.list()).toEqual([])
      for (const id of ['one', 'two', 'one']) await storage.journals.register(id)
      await storage.journals.writeRun('one', run)
      await storage.journals.writeRun('one', { ...run, stopped: true })
      await storage.journals.writeHead('two', head)
      if (lasting) await reopen()
      const journals = await storage.journals.list()
      expect(new Map(journals.map(({ id, run, head }) => [id, { run, head }]))).toEqual(
        new Map<string, object>([
          ['one', { run: { ...run, stopped: true }, head: undefined }],
          ['two', { run: undefined, head }],
        ]),
      )
      for (const { isLive, gateway, registeredAt } of journals) {
        expect({ isLive, gateway }).toEqual({ isLive: false, gateway: 'gateway' })
        expect(registeredAt).toBeGreaterThan(1_700_000_000_000)
      }
    })

    it('fails its check and every commit once it is closed', async () => {
      await storage.check()
      await storage.close()
      await expect(storage.check()).rejects.toBeInstanceOf(Failure)
      await expect(put('keys', aKey(1))).rejects.toMatchObject({ code: 'Internal' })
    })
  })
}

function changing(key: Key): Changes {
  const changes = new Changes()
  changes.put('keys', key)
  return changes
}

/** Four keys at revisions 0 to 3: small enough that many steps fit and many conflict. */
const step = fc.record({
  number: fc.integer({ min: 1, max: 4 }),
  action: fc.constantFrom('put', 'put', 'put', 'remove'),
  revision: fc.integer({ min: 0, max: 3 }),
  tag: fc.string({ unit: 'binary', maxLength: 8 }),
})
