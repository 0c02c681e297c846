import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { globalConditionKeyTypes, isGlobalKeyKnown } from '../../../src/authorization/global-condition-keys.ts'
import type { AccessRequest } from '../../../src/authorization/request.ts'
import { asciiLowerCase } from '../../../src/model/ascii.ts'
import type { Caller } from '../../../src/model/identities/caller.ts'
import type { Alias } from '../../../src/model/keys/alias.ts'
import type { Key } from '../../../src/model/keys/key.ts'
import { keyConditionKeys } from '../../../src/model/keys/key-condition-keys.ts'
import { operations } from '../../../src/operations/kms/catalogue.ts'
import { conditionKeys, keyActions } from '../../../src/operations/kms/condition-keys.ts'
import type { OperationName } from '../../../src/operations/kms/operation.ts'
import type { AnyOperation, Target } from '../../../src/operations/operation.ts'
import { type Call, checkPermissions } from '../../../src/permissions.ts'
import type { PathServices, Storage } from '../../../src/services.ts'
import { aUser } from '../../authorization/users.ts'
import { account, aGrant, aKey, anAlias, region } from '../../storage/records.ts'

/** Every condition key of AWS KMS, as each operation contributes it. */

const Tags = [
  { TagKey: 'Team', TagValue: 'Blue' },
  { TagKey: 'cost-center', TagValue: '' },
]
const key = aKey(1, { tags: Tags })
const rsaKey = aKey(2, { spec: 'RSA_2048', usage: 'SIGN_VERIFY', tags: [{ TagKey: 'Team', TagValue: 'Red' }] })
const elsewhere = aKey(3, { account: '444455556666' })
const aliases = [anAlias('first', key), anAlias('Second', key), anAlias('rsa', rsaKey)]
const multiRegionId = 'mrk-1234abcd12ab34cd56ef1234567890ab'
const primary = aKey(4, { id: multiRegionId, multiRegion: 'PRIMARY' })
const replica = aKey(5, { id: multiRegionId, region: 'us-east-1', multiRegion: 'REPLICA', tags: Tags })
const keys = [key, rsaKey, elsewhere, primary, replica]
const caller = { ...aUser(`arn:aws:iam::${account}:user/alice`, []), region }
const bytes = new Uint8Array(8)
const EncryptionContext = { AppName: 'ExampleApp', 'aws:logs:arn': 'arn:aws:logs:eu-central-1:111122223333:*' }
const KeyId = 'alias/first'
const grant = aGrant(1, key, { constraints: { EncryptionContextEquals: EncryptionContext } })

/** Every operation with every member that conditions can ask for. */
const inputs: Partial<Record<OperationName, object>> = {
  CancelKeyDeletion: { KeyId: key.id },
  CreateAlias: { AliasName: 'alias/new', TargetKeyId: key.id },
  CreateGrant: {
    KeyId: key.id,
    GranteePrincipal: caller.arn,
    GranteeServicePrincipal: 'logs.amazonaws.com',
    RetiringPrincipal: caller.arn,
    RetiringServicePrincipal: 'logs.amazonaws.com',
    Operations: ['Encrypt', 'CreateGrant'],
    Constraints: { EncryptionContextSubset: EncryptionContext, SourceArn: `arn:aws:s3::${account}:bucket` },
  },
  CreateKey: { Tags, BypassPolicyLockoutSafetyCheck: true, MultiRegion: true },
  Decrypt: { KeyId, CiphertextBlob: bytes, EncryptionContext },
  DeleteAlias: { AliasName: 'alias/first' },
  DeleteImportedKeyMaterial: { KeyId: key.id },
  DeriveSharedSecret: { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: bytes },
  DescribeCustomKeyStores: {},
  ConnectCustomKeyStore: { CustomKeyStoreId: 'cks-1' },
  CreateCustomKeyStore: { CustomKeyStoreName: 'store' },
  DeleteCustomKeyStore: { CustomKeyStoreId: 'cks-1' },
  DisconnectCustomKeyStore: { CustomKeyStoreId: 'cks-1' },
  UpdateCustomKeyStore: { CustomKeyStoreId: 'cks-1' },
  DescribeKey: { KeyId },
  DisableKey: { KeyId: key.id },
  DisableKeyRotation: { KeyId: key.id },
  EnableKey: { KeyId: key.id },
  EnableKeyRotation: { KeyId: key.id },
  Encrypt: { KeyId, Plaintext: bytes, EncryptionContext },
  GenerateDataKey: { KeyId, KeySpec: 'AES_256', EncryptionContext },
  GenerateDataKeyPair: { KeyId, KeyPairSpec: 'RSA_2048', EncryptionContext },
  GenerateDataKeyPairWithoutPlaintext: { KeyId, KeyPairSpec: 'RSA_2048', EncryptionContext },
  GenerateDataKeyWithoutPlaintext: { KeyId, KeySpec: 'AES_256', EncryptionContext },
  GenerateMac: { KeyId, MacAlgorithm: 'HMAC_SHA_256', Message: bytes },
  GenerateRandom: { NumberOfBytes: 1 },
  GetKeyLastUsage: { KeyId: key.id },
  GetKeyPolicy: { KeyId: key.id },
  GetKeyRotationStatus: { KeyId: key.id },
  GetParametersForImport: { KeyId: key.id, WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_4096' },
  GetPublicKey: { KeyId },
  ImportKeyMaterial: { KeyId: key.id, ImportToken: bytes, EncryptedKeyMaterial: bytes, ValidTo: new Date() },
  ListAliases: { KeyId: key.id },
  ListGrants: { KeyId: key.id },
  ListKeyPolicies: { KeyId: key.id },
  ListKeyRotations: { KeyId: key.id },
  ListKeys: {},
  ListResourceTags: { KeyId: key.id },
  ListRetirableGrants: { RetiringPrincipal: caller.arn },
  PutKeyPolicy: { KeyId: key.id, Policy: '{}', BypassPolicyLockoutSafetyCheck: false },
  ReEncrypt: {
    CiphertextBlob: bytes,
    SourceKeyId: KeyId,
    SourceEncryptionContext: EncryptionContext,
    DestinationKeyId: 'alias/Second',
    DestinationEncryptionContext: EncryptionContext,
  },
  ReplicateKey: { KeyId: key.id, ReplicaRegion: 'us-east-1', Tags, BypassPolicyLockoutSafetyCheck: true },
  RetireGrant: { KeyId: key.id, GrantId: grant.id },
  RevokeGrant: { KeyId: key.id, GrantId: grant.id },
  RotateKeyOnDemand: { KeyId: key.id },
  ScheduleKeyDeletion: { KeyId: key.id },
  Sign: { KeyId, Message: bytes, SigningAlgorithm: 'RSASSA_PSS_SHA_256' },
  TagResource: { KeyId: key.id, Tags },
  UntagResource: { KeyId: key.id, TagKeys: ['Team'] },
  UpdateAlias: { AliasName: 'alias/first', TargetKeyId: rsaKey.id },
  UpdateKeyDescription: { KeyId: key.id, Description: '' },
  UpdatePrimaryRegion: { KeyId: key.id, PrimaryRegion: 'us-east-1' },
  Verify: { KeyId, Message: bytes, SigningAlgorithm: 'RSASSA_PSS_SHA_256', Signature: bytes },
  VerifyMac: { KeyId, MacAlgorithm: 'HMAC_SHA_256', Message: bytes, Mac: bytes },
}

function storageOf(ofKey: (arn: string) => readonly Alias[]): Storage {
  return {
    keys: {
      find: (arn: string) => keys.find(key => key.arn === arn),
      findByMaterial: () => key,
      related: ({ id, arn }: Key) => keys.filter(other => other.id === id && other.arn !== arn),
      lastUse: async () => undefined,
    },
    trackingStart: 0,
    aliases: { find: (arn: string) => aliases.find(alias => alias.arn === arn), ofKey },
    grants: { find: () => grant },
    customKeyStores: { find: () => undefined, ofKey: () => undefined },
    principals: { withId: () => undefined, isKnown: () => false },
  } as unknown as Storage
}
const storage = storageOf(arn => aliases.filter(({ targetKeyArn }) => targetKeyArn === arn))

/** What is decided for a request, in the order of its permissions. */
async function decided(
  name: OperationName,
  input: object,
  where = storage,
  by: Caller = caller,
): Promise<AccessRequest[]> {
  const operation = operations.find(operation => operation.name === name) as AnyOperation
  const target: Target = await operation.target.find(input, {
    caller: by,
    storage: where,
    operation: name,
    hsms: undefined as never,
  })
  const requests: AccessRequest[] = []
  const authorize = (request: AccessRequest) => {
    requests.push(request)
    return { allowed: true }
  }
  const entry = { sourceAddress: '192.0.2.1', userAgent: 'test', startedAt: 0 }
  const request = { headers: {}, secure: false }
  const call = { operation, caller: by, input, entry, request, api: { actionPrefix: 'kms:' } } as unknown as Call
  checkPermissions(target, call, { authorize } as unknown as PathServices)
  return requests
}

const valuesOf = ({ context }: AccessRequest, name: string) => context(asciiLowerCase(name))
/** A member that the inputs and records above have of a family. */
const members: Readonly<Record<string, string>> = {
  'aws:RequestTag/': 'Team',
  'aws:ResourceTag/': 'Team',
  'kms:EncryptionContext:': 'AppName',
}

describe.each(operations.map(operation => [operation.name, operation] as const))('%s', (name, operation) => {
  it('has exactly the condition keys that are documented for its actions', async () => {
    for (const request of await decided(name, inputs[name]!)) {
      const action = request.action.slice('kms:'.length)
      // No condition keys are documented for aliases; what a creation implies has those of the creation.
      if (request.resource.includes(':alias/') || (request.resource === '*' && action !== name)) continue
      const expected = conditionKeys.filter(({ actions, absent }) => actions.includes(action) && !absent)
      const present = conditionKeys.filter(({ name }) => valuesOf(request, name + (members[name] ?? '')) !== undefined)
      const names = (rows: typeof conditionKeys) => rows.map(({ name }) => name)
      // A key of one Region has no type, and no service is between.
      const others = action === 'CreateKey' ? ['kms:ViaService'] : ['kms:MultiRegionKeyType', 'kms:ViaService']
      expect(names(present), action).toEqual(names(expected).filter(name => !others.includes(name)))
    }
  })

  it('declares only documented condition keys', () => {
    const actions = name === 'ReEncrypt' ? ['ReEncryptFrom', 'ReEncryptTo'] : [name]
    for (const declared of Object.keys((operation as AnyOperation).conditionKeys ?? {})) {
      const row = conditionKeys.find(({ name }) => name === declared)
      expect(row?.actions, declared).toEqual(expect.arrayContaining(actions))
    }
  })
})

describe('the table of condition keys', () => {
  it('has each name once, whatever its case', () => {
    const names = conditionKeys.map(({ name }) => asciiLowerCase(name))
    expect(new Set(names).size).toBe(names.length)
  })

  it('agrees with the global condition keys on types', () => {
    for (const { name, type } of conditionKeys.filter(({ name }) => name.startsWith('aws:'))) {
      expect(globalConditionKeyTypes[name], name).toBe(type)
      expect(isGlobalKeyKnown(name), name).toBe(true)
    }
  })

  it('has every condition key of keys, for every action on keys', () => {
    for (const name of Object.keys(keyConditionKeys)) {
      const row = conditionKeys.find(row => row.name === name)
      if (row === undefined) expect(globalConditionKeyTypes).toHaveProperty([name])
      else if (name !== 'kms:RequestAlias') expect(row.actions, name).toEqual(expect.arrayContaining([...keyActions]))
    }
  })
})

const expectValues = async (name: OperationName, input: object, conditionKey: string, values: unknown) => {
  const [request] = await decided(name, { ...inputs[name], ...input })
  expect(valuesOf(request!, conditionKey)).toEqual(values)
}

describe('the value', () => {
  it.each<readonly [OperationName, object, string, readonly string[] | undefined]>([
    // Of a grant.
    ['CreateGrant', { Operations: ['Sign', 'Verify'] }, 'kms:GrantOperations', ['Sign', 'Verify']],
    ['CreateGrant', {}, 'kms:GrantIsForAWSResource', ['false']],
    ['CreateGrant', { Constraints: {} }, 'kms:GrantConstraintType', undefined],
    ['CreateGrant', { Constraints: undefined }, 'kms:EncryptionContextKeys', undefined],
    ['CreateGrant', {}, 'kms:GrantConstraintType', ['EncryptionContextSubset', 'SourceArn']],
    ['RetireGrant', {}, 'kms:GrantConstraintType', ['EncryptionContextEquals']],
    // Of the request, with its defaults.
    ['CreateKey', {}, 'kms:KeySpec', ['SYMMETRIC_DEFAULT']],
    ['CreateKey', {}, 'kms:KeyUsage', ['ENCRYPT_DECRYPT']],
    ['CreateKey', {}, 'kms:KeyOrigin', ['AWS_KMS']],
    ['CreateKey', { KeySpec: 'RSA_4096', KeyUsage: 'SIGN_VERIFY' }, 'kms:KeySpec', ['RSA_4096']],
    ['CreateKey', { CustomerMasterKeySpec: 'RSA_4096' }, 'kms:KeySpec', ['RSA_4096']],
    ['CreateKey', { KeySpec: 'RSA_4096' }, 'kms:CustomerMasterKeySpec', ['RSA_4096']],
    ['CreateKey', { KeySpec: 'HMAC_256' }, 'kms:KeyUsage', undefined],
    ['CreateKey', { KeyUsage: 'SIGN_VERIFY' }, 'kms:CustomerMasterKeyUsage', ['SIGN_VERIFY']],
    ['CreateKey', { Origin: 'EXTERNAL' }, 'kms:KeyOrigin', ['EXTERNAL']],
    ['CreateKey', { MultiRegion: undefined }, 'kms:MultiRegion', ['false']],
    ['CreateKey', { MultiRegion: undefined }, 'kms:MultiRegionKeyType', undefined],
    ['CreateKey', { MultiRegion: true }, 'kms:MultiRegion', ['true']],
    ['CreateKey', { MultiRegion: true }, 'kms:MultiRegionKeyType', ['PRIMARY']],
    ['CreateKey', {}, 'kms:CallerAccount', [account]],
    ['CreateKey', {}, 'aws:RequestTag/Team', ['Blue']],
    ['CreateKey', {}, 'aws:RequestTag/COST-CENTER', ['']],
    ['CreateKey', {}, 'aws:RequestTag/Other', undefined],
    ['CreateKey', { Tags: undefined }, 'aws:RequestTag/Team', undefined],
    ['CreateKey', {}, 'aws:TagKeys', ['Team', 'cost-center']],
    ['CreateKey', { Tags: [] }, 'aws:TagKeys', undefined],
    ['CreateKey', { BypassPolicyLockoutSafetyCheck: undefined }, 'kms:BypassPolicyLockoutSafetyCheck', undefined],
    ['CreateKey', { BypassPolicyLockoutSafetyCheck: false }, 'kms:BypassPolicyLockoutSafetyCheck', ['false']],
    ['PutKeyPolicy', { BypassPolicyLockoutSafetyCheck: undefined }, 'kms:BypassPolicyLockoutSafetyCheck', undefined],
    ['PutKeyPolicy', { BypassPolicyLockoutSafetyCheck: true }, 'kms:BypassPolicyLockoutSafetyCheck', ['true']],
    ['TagResource', {}, 'aws:RequestTag/team', ['Blue']],
    ['TagResource', { Tags: [{ TagKey: 'A', TagValue: '1' }] }, 'aws:TagKeys', ['A']],
    ['UntagResource', {}, 'aws:TagKeys', ['Team']],
    ['EnableKeyRotation', {}, 'kms:RotationPeriodInDays', ['365']],
    ['EnableKeyRotation', { RotationPeriodInDays: 90 }, 'kms:RotationPeriodInDays', ['90']],
    ['ScheduleKeyDeletion', {}, 'kms:ScheduleKeyDeletionPendingWindowInDays', ['30']],
    ['ScheduleKeyDeletion', { PendingWindowInDays: 7 }, 'kms:ScheduleKeyDeletionPendingWindowInDays', ['7']],
    ['ScheduleKeyDeletion', {}, 'kms:TrailingDaysWithoutKeyUsage', ['0']],
    ['Sign', {}, 'kms:MessageType', ['RAW']],
    ['Sign', { MessageType: 'DIGEST' }, 'kms:MessageType', ['DIGEST']],
    ['Verify', {}, 'kms:SigningAlgorithm', ['RSASSA_PSS_SHA_256']],
    ['GenerateMac', {}, 'kms:MacAlgorithm', ['HMAC_SHA_256']],
    ['DeriveSharedSecret', {}, 'kms:KeyAgreementAlgorithm', ['ECDH']],
    ['GenerateDataKeyPair', {}, 'kms:DataKeyPairSpec', ['RSA_2048']],
    ['ListGrants', {}, 'kms:GrantIsForAWSResource', ['false']],
    // Of encryption.
    ['Encrypt', {}, 'kms:EncryptionAlgorithm', ['SYMMETRIC_DEFAULT']],
    ['Encrypt', { EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }, 'kms:EncryptionAlgorithm', ['RSAES_OAEP_SHA_256']],
    ['GenerateDataKey', {}, 'kms:EncryptionAlgorithm', ['SYMMETRIC_DEFAULT']],
    ['Encrypt', {}, 'kms:EncryptionContext:appname', ['ExampleApp']],
    ['Encrypt', {}, 'kms:EncryptionContext:aws:logs:arn', ['arn:aws:logs:eu-central-1:111122223333:*']],
    ['Encrypt', {}, 'kms:EncryptionContext:aws:logs', undefined],
    ['Encrypt', {}, 'kms:EncryptionContext:', undefined],
    ['Encrypt', {}, 'kms:EncryptionContextKeys', ['AppName', 'aws:logs:arn']],
    ['Encrypt', { EncryptionContext: {} }, 'kms:EncryptionContextKeys', undefined],
    ['Encrypt', { EncryptionContext: undefined }, 'kms:EncryptionContextKeys', undefined],
    ['Encrypt', { EncryptionContext: undefined }, 'kms:EncryptionContext:AppName', undefined],
    [
      'Encrypt',
      { EncryptionContext: { Stage: 'Prod', stage: 'Test' } },
      'kms:EncryptionContext:STAGE',
      ['Prod', 'Test'],
    ],
    ['Encrypt', { EncryptionContext: { '\u212aey': 'x' } }, 'kms:EncryptionContext:key', undefined],
    // Of the key.
    ['Encrypt', {}, 'kms:KeySpec', ['SYMMETRIC_DEFAULT']],
    ['Sign', { KeyId: rsaKey.id }, 'kms:KeySpec', ['RSA_2048']],
    ['Sign', { KeyId: rsaKey.id }, 'kms:CustomerMasterKeyUsage', ['SIGN_VERIFY']],
    ['Encrypt', {}, 'kms:KeyOrigin', ['AWS_KMS']],
    ['Encrypt', {}, 'kms:MultiRegion', ['false']],
    ['Encrypt', {}, 'kms:MultiRegionKeyType', undefined],
    ['Encrypt', { KeyId: multiRegionId }, 'kms:MultiRegion', ['true']],
    ['Encrypt', { KeyId: multiRegionId }, 'kms:MultiRegionKeyType', ['PRIMARY']],
    ['ReplicateKey', { KeyId: multiRegionId }, 'kms:ReplicaRegion', ['us-east-1']],
    ['UpdatePrimaryRegion', { KeyId: multiRegionId }, 'kms:PrimaryRegion', ['us-east-1']],
    ['ReplicateKey', { KeyId: multiRegionId }, 'aws:RequestTag/Team', undefined],
    ['Encrypt', {}, 'kms:CallerAccount', [account]],
    ['Encrypt', {}, 'aws:ResourceAccount', [account]],
    ['Encrypt', {}, 'aws:ResourceTag/team', ['Blue']],
    ['Encrypt', { KeyId: rsaKey.id }, 'aws:ResourceTag/Team', ['Red']],
    ['Encrypt', { KeyId: rsaKey.id }, 'aws:ResourceTag/cost-center', undefined],
    ['Encrypt', { KeyId: elsewhere.arn }, 'aws:ResourceAccount', ['444455556666']],
    ['Encrypt', { KeyId: elsewhere.arn }, 'kms:CallerAccount', [account]],
    ['Encrypt', {}, 'kms:ResourceAliases', ['alias/first', 'alias/Second']],
    ['Encrypt', { KeyId: key.arn }, 'kms:ResourceAliases', ['alias/first', 'alias/Second']],
    ['Encrypt', { KeyId: elsewhere.arn }, 'kms:ResourceAliases', undefined],
    ['Encrypt', {}, 'kms:ViaService', undefined],
    // Of how the request names the key.
    ['Encrypt', {}, 'kms:RequestAlias', ['alias/first']],
    ['Encrypt', { KeyId: aliases[1]!.arn }, 'kms:RequestAlias', ['alias/Second']],
    ['Encrypt', { KeyId: key.id }, 'kms:RequestAlias', undefined],
    ['Encrypt', { KeyId: key.arn }, 'kms:RequestAlias', undefined],
    ['DescribeKey', {}, 'kms:RequestAlias', ['alias/first']],
    // An alias has none.
    ['CreateAlias', {}, 'kms:KeySpec', undefined],
    ['CreateAlias', {}, 'kms:CallerAccount', undefined],
  ])('in %s %j of %s is %j', async (name, input, conditionKey, values) => {
    await expectValues(name, input, conditionKey, values)
  })

  it.each<[OperationName, string, readonly string[] | undefined]>([
    ['Encrypt', 'kms:ViaService', ['s3.eu-central-1.amazonaws.com']],
    ['CreateKey', 'kms:ViaService', ['s3.eu-central-1.amazonaws.com']],
    ['CreateAlias', 'kms:ViaService', undefined],
    ['Encrypt', 'kms:CallerAccount', [account]],
    ['CreateGrant', 'kms:GrantIsForAWSResource', ['true']],
  ])('in %s of %s is %j, if a service calls on behalf of the caller', async (name, conditionKey, values) => {
    const via = { service: 's3.amazonaws.com', accessKeyId: 'AKIAEXAMPLE000000002' }
    const by: Caller = { ...caller, region: 'eu-central-1', via }
    const [request] = await decided(name, inputs[name]!, storage, by)
    expect(valuesOf(request!, conditionKey)).toEqual(values)
  })

  it('is that of either key whose roles are to be changed, in its region', async () => {
    const requests = await decided('UpdatePrimaryRegion', { KeyId: multiRegionId, PrimaryRegion: 'us-east-1' })
    const asked = ['aws:RequestedRegion', 'kms:MultiRegionKeyType', 'kms:PrimaryRegion', 'aws:ResourceTag/Team']
    expect(
      requests.map(request => [request.action, request.resource, ...asked.map(name => valuesOf(request, name))]),
    ).toEqual([
      ['kms:UpdatePrimaryRegion', primary.arn, [region], ['PRIMARY'], ['us-east-1'], undefined],
      ['kms:UpdatePrimaryRegion', replica.arn, ['us-east-1'], ['REPLICA'], ['us-east-1'], ['Blue']],
    ])
  })

  it('is that of the replica that is to be created, in its region', async () => {
    const asked = {
      'aws:RequestedRegion': ['us-east-1'],
      'aws:RequestTag/Team': ['Blue'],
      'kms:BypassPolicyLockoutSafetyCheck': ['true'],
      'kms:KeySpec': ['SYMMETRIC_DEFAULT'],
      'kms:KeyOrigin': ['AWS_KMS'],
      'kms:MultiRegion': ['true'],
      'kms:MultiRegionKeyType': ['REPLICA'],
      'kms:ReplicaRegion': undefined,
    }
    const requests = await decided('ReplicateKey', { ...inputs.ReplicateKey, KeyId: multiRegionId })
    expect(requests.map(({ action, resource }) => `${action} ${resource}`)).toEqual([
      `kms:ReplicateKey ${primary.arn}`,
      'kms:CreateKey *',
      'kms:TagResource *',
    ])
    for (const request of requests.slice(1))
      for (const [name, value] of Object.entries(asked)) expect(valuesOf(request, name), name).toEqual(value)
    expect(valuesOf(requests[0]!, 'aws:RequestedRegion')).toEqual([region])
  })

  it('is that of the key that each permission is for', async () => {
    const input = {
      CiphertextBlob: bytes,
      SourceKeyId: 'alias/first',
      SourceEncryptionContext: { from: '1' },
      DestinationKeyId: rsaKey.id,
      DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
    }
    const asked = [
      'kms:EncryptionAlgorithm',
      'kms:EncryptionContext:from',
      'kms:KeySpec',
      'kms:RequestAlias',
      'kms:ReEncryptOnSameKey',
    ]
    const requests = await decided('ReEncrypt', input)
    expect(requests.map(({ action }) => action)).toEqual(['kms:ReEncryptFrom', 'kms:ReEncryptTo'])
    expect(requests.map(request => asked.map(name => valuesOf(request, name)?.[0]))).toEqual([
      ['SYMMETRIC_DEFAULT', '1', 'SYMMETRIC_DEFAULT', 'alias/first', 'false'],
      ['RSAES_OAEP_SHA_256', undefined, 'RSA_2048', undefined, 'false'],
    ])
    for (const request of await decided('ReEncrypt', inputs.ReEncrypt!))
      expect(valuesOf(request, 'kms:ReEncryptOnSameKey')).toEqual(['true'])
  })

  it('is that of the old key and that of the new one for UpdateAlias', async () => {
    const requests = await decided('UpdateAlias', inputs.UpdateAlias!)
    expect(requests.map(request => [request.resource, valuesOf(request, 'kms:KeySpec')?.[0]])).toEqual([
      [aliases[0]!.arn, undefined],
      [key.arn, 'SYMMETRIC_DEFAULT'],
      [rsaKey.arn, 'RSA_2048'],
    ])
  })

  it('is that of the creation for the tags that it implies', async () => {
    const requests = await decided('CreateKey', { KeySpec: 'RSA_4096', Tags })
    expect(requests.map(({ action }) => action)).toEqual(['kms:CreateKey', 'kms:TagResource'])
    expect(requests.map(request => valuesOf(request, 'aws:RequestTag/Team'))).toEqual([['Blue'], ['Blue']])
    expect(requests.map(request => valuesOf(request, 'kms:KeySpec'))).toEqual([['RSA_4096'], ['RSA_4096']])
  })

  it('of kms:ResourceAliases is the name of no alias if there are more than the quota allows', async () => {
    const many = (count: number) =>
      storageOf(() => Array.from({ length: count }, (_, index) => anAlias(`a${index}`, key)))
    const ofKey = async (count: number) => {
      const [request] = await decided('DescribeKey', inputs.DescribeKey!, many(count))
      return valuesOf(request!, 'kms:ResourceAliases')
    }
    expect(await ofKey(0)).toBeUndefined()
    expect(await ofKey(50)).toHaveLength(50)
    expect(await ofKey(51)).toEqual([''])
  })

  it('of a key of another account that does not exist is unknown', async () => {
    const missing = aKey(9, { account: elsewhere.account }) satisfies Key
    const [request] = await decided('Encrypt', { ...inputs.Encrypt, KeyId: missing.arn })
    for (const name of ['kms:KeySpec', 'kms:KeyOrigin', 'kms:MultiRegion', 'kms:ResourceAliases'])
      expect(valuesOf(request!, name), name).toBeUndefined()
  })
})

describe('docs/policies.md', () => {
  const page = readFileSync(new URL('../../../docs/policies.md', import.meta.url), 'utf8')
  const [, kms = '', global = ''] = page.split(/^\| Condition key \|.*$/m)
  const rows = kms.split('\n').filter(line => line.startsWith('| `'))
  /** Groups of actions, by what the page calls them. */
  const groups: Readonly<Record<string, readonly string[]>> = {
    'custom key stores': actionsOf(/CustomKeyStore/),
    'data keys': actionsOf(/^GenerateDataKey/),
    'cryptographic operations': conditionKeys
      .find(({ name }) => name === 'kms:RequestAlias')!
      .actions.filter(action => !/^(DescribeKey|GetPublicKey)$/.test(action)),
    'key operations': keyActions,
  }

  function actionsOf(pattern: RegExp): readonly string[] {
    return [...new Set(conditionKeys.flatMap(({ actions }) => actions))].filter(action => pattern.test(action))
  }

  it('lists every condition key with its type and its operations', () => {
    const listed = rows.map(row => [/`(.*?)`/.exec(row)![1], row.split(' | ')[1]])
    expect(listed).toEqual(conditionKeys.map(({ name, type }) => [name, type]))
    for (const row of rows) {
      const [, , operations] = row.split(' | ')
      const actions = operations!.split(', ').flatMap(word => groups[word] ?? [word])
      const documented = conditionKeys.find(({ name }) => row.startsWith(`| \`${name}\``))
      expect(actions.sort(), row).toEqual([...documented!.actions].sort())
    }
  })

  it('lists the global condition keys that requests have', () => {
    const listed = global.match(/`aws:[A-Za-z/]+`/g)!.map(name => name.slice(1, -1))
    const ofOperations = conditionKeys.map(({ name }) => name)
    const known = Object.keys(globalConditionKeyTypes).filter(
      name => isGlobalKeyKnown(name) && !ofOperations.includes(name),
    )
    expect(listed.sort()).toEqual(known.sort())
  })
})
