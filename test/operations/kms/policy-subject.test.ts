import { describe, expect, it } from 'vitest'
import { operationNames, shapeNamed } from '../../../src/apis/kms/model.ts'
import { operations } from '../../../src/operations/kms/catalogue.ts'
import { conditionKeyValues } from '../../../src/operations/kms/condition-key-values.ts'
import { policySubject } from '../../../src/operations/kms/policy-subject.ts'
import type { Search, Target } from '../../../src/operations/operation.ts'
import { aUser } from '../../authorization/users.ts'
import { account, aKey, anAlias, region } from '../../storage/records.ts'

const key = aKey(1)
const alias = anAlias('documents', key)
const storage = {
  keys: { find: (arn: string) => (arn === key.arn ? key : undefined) },
  aliases: { find: (arn: string) => (arn === alias.arn ? alias : undefined), ofKey: () => [alias] },
  grants: { search: () => undefined },
} as unknown as Search['storage']

const own = { ...aUser(`arn:aws:iam::${account}:user/alice`, []), region }
const foreign = { ...aUser('arn:aws:iam::444455556666:user/alice', []), region }

describe('what policies say about AWS KMS', () => {
  it('has an action for each operation', () => {
    const actions = operationNames.flatMap(name => (name === 'ReEncrypt' ? ['ReEncryptFrom', 'ReEncryptTo'] : name))
    expect([...policySubject.vocabulary.actions].sort()).toEqual([...actions, 'SynchronizeMultiRegionKey'].sort())
  })
})

describe('the values of condition keys', () => {
  const shapes: Readonly<Record<string, string>> = {
    'kms:CustomerMasterKeySpec': 'KeySpec',
    'kms:CustomerMasterKeyUsage': 'KeyUsageType',
    'kms:DataKeyPairSpec': 'DataKeyPairSpec',
    'kms:EncryptionAlgorithm': 'EncryptionAlgorithmSpec',
    'kms:ExpirationModel': 'ExpirationModelType',
    'kms:GrantOperations': 'GrantOperation',
    'kms:KeyAgreementAlgorithm': 'KeyAgreementAlgorithmSpec',
    'kms:KeyOrigin': 'OriginType',
    'kms:KeySpec': 'KeySpec',
    'kms:KeyUsage': 'KeyUsageType',
    'kms:MacAlgorithm': 'MacAlgorithmSpec',
    'kms:MessageType': 'MessageType',
    'kms:MultiRegionKeyType': 'MultiRegionKeyType',
    'kms:SigningAlgorithm': 'SigningAlgorithmSpec',
    'kms:WrappingAlgorithm': 'AlgorithmSpec',
    'kms:WrappingKeySpec': 'WrappingKeySpec',
  }

  it.each(Object.entries(conditionKeyValues))('of %s are those of the service model', (key, values) => {
    const listed =
      key === 'kms:GrantConstraintType'
        ? Object.keys((shapeNamed('GrantConstraints') as { members: object }).members)
        : (shapeNamed(shapes[key]!) as { enum: readonly string[] }).enum
    expect([...values].sort()).toEqual([...listed].sort())
  })
})

describe('the permission of a hypothetical request', () => {
  const permission = (action: string, resource: string, caller = own) =>
    policySubject.permission(action, resource, new Map(), { caller, storage })

  it.each([key.id, key.arn, alias.name, alias.arn])('is about the key that %s names', resource => {
    const found = permission('Decrypt', resource)
    expect(found).toMatchObject({ action: 'Decrypt', resource: key.arn, account, resourcePolicy: { text: key.policy } })
    expect(found.conditionKeys!('kms:keyspec')).toEqual(['SYMMETRIC_DEFAULT'])
    expect(found.conditionKeys!('kms:requestalias')).toEqual(resource.includes('alias/') ? [alias.name] : undefined)
  })

  it('is about an alias, which has no policy, or about its key', () => {
    expect(permission('DeleteAlias', alias.name)).toEqual({ action: 'DeleteAlias', resource: alias.arn, account })
    expect(permission('DeleteAlias', key.id)).toMatchObject({ resource: key.arn, resourcePolicy: { text: key.policy } })
    expect(permission('CreateAlias', 'alias/new')).toMatchObject({ resource: alias.arn.replace('documents', 'new') })
  })

  it('is about no key for an action of the account', () => {
    for (const resource of ['*', key.id]) {
      expect(permission('ListKeys', resource)).toEqual({ action: 'ListKeys', resource: '*', account })
    }
  })

  it('cannot be about a key or alias that does not exist', () => {
    expect(() => permission('Decrypt', key.id.replace('1', '2'))).toThrow('does not exist')
    expect(() => permission('Decrypt', 'alias/none')).toThrow('is not found')
    expect(() => permission('Decrypt', 'x')).toThrow("Invalid keyId 'x'")
  })

  it('is open to other accounts for the same actions as an operation', async () => {
    const search = { caller: foreign, storage, hsms: {} as Search['hsms'] }
    const input = { KeyId: key.arn, AliasName: alias.name, TargetKeyId: key.arn, GrantId: '0'.repeat(64) }
    const compared = []
    for (const { name, target } of operations) {
      // Those that find their key in a ciphertext, and those that are for their own account only, refuse this input.
      const find = async () => target.find(input as never, { ...search, operation: name }) as Target | Promise<Target>
      const found = await find().catch(() => undefined)
      if (!found) continue
      const { permissions } = found
      const ofKey = permissions.find(({ resource }) => resource === key.arn)
      if (!ofKey) continue
      const isOpen = ofKey.resourcePolicy !== undefined
      expect([name, permission(name, key.arn, foreign).resourcePolicy !== undefined]).toEqual([name, isOpen])
      compared.push(name)
    }
    expect(compared).toContain('ListGrants')
    expect(compared.length).toBeGreaterThan(25)
  })
})
