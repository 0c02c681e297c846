import { createHash } from 'node:crypto'
import { CloudTrail } from '@aws-sdk/client-cloudtrail'
import type { KMS } from '@aws-sdk/client-kms'
import { STS } from '@aws-sdk/client-sts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AuditRecord } from '../../src/audit/entry.ts'
import { operations as trailOperations } from '../../src/operations/cloudtrail/catalogue.ts'
import { operations as kmsOperations } from '../../src/operations/kms/catalogue.ts'
import { operations as stsOperations } from '../../src/operations/sts/catalogue.ts'
import { wrapMaterial } from '../contracts/wrapping.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Identity, policyOf, type Role, withIdentities } from './identities.ts'
import { installStoreToken, type StoreToken, settled } from './key-stores.ts'
import { send } from './requests.ts'

/** Records of every operation have the fields of the samples that AWS publishes, and no others. */

const other = '444455556666'
let installation: Installation
let gateway: Gateway
let kms: KMS
let sts: STS
let trail: CloudTrail
let role: Role
let bob: Identity
let keys: Readonly<
  Record<'symmetric' | 'signing' | 'mac' | 'agreement' | 'external' | 'shared' | 'multiRegion', string>
>
let ciphertext: Uint8Array
let mac: Uint8Array
let signature: Uint8Array
let peer: Uint8Array
let token: StoreToken
let storeId: string
let grantIds: readonly string[]

beforeAll(async () => {
  installation = await install()
  token = await installStoreToken(installation)
  installation.configure(config => {
    config.regions = { 'us-east-1': 'softhsm', 'us-west-2': 'softhsm' }
  })
  await withIdentities(installation, async identities => {
    const policies = [policyOf({ Effect: 'Allow', Action: '*', Resource: '*' })]
    bob = await identities.user(other, 'bob', { policies })
    const trust = policyOf({ Effect: 'Allow', Principal: { AWS: [home, other] }, Action: 'sts:AssumeRole' })
    role = await identities.role(home, 'jobs/backup', { trust })
  })
  gateway = await serve(installation)
  kms = gateway.client()
  const credentials = installation.credentials[home]!
  const options = { endpoint: gateway.url, region: 'us-east-1', credentials, maxAttempts: 1 }
  sts = new STS(options)
  trail = new CloudTrail(options)
  const create = async (request = {}) => (await kms.createKey(request)).KeyMetadata!.Arn!
  const [owner, guest] = [home, other].map(account => ({
    Effect: 'Allow',
    Principal: { AWS: account },
    Action: account === home ? 'kms:*' : ['kms:Encrypt', 'kms:CreateGrant'],
    Resource: '*',
  }))
  keys = {
    symmetric: await create(),
    signing: await create({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
    mac: await create({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
    agreement: await create({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' }),
    external: await create({ Origin: 'EXTERNAL' }),
    multiRegion: await create({ MultiRegion: true }),
    shared: await create({ Policy: JSON.stringify(policyOf(owner!, guest!)) }),
  }
  const context = { Department: 'Engineering' }
  ciphertext = (await kms.encrypt({ KeyId: keys.symmetric, Plaintext, EncryptionContext: context })).CiphertextBlob!
  mac = (await kms.generateMac({ KeyId: keys.mac, Message, MacAlgorithm: 'HMAC_SHA_256' })).Mac!
  signature = (await kms.sign({ KeyId: keys.signing, Message, SigningAlgorithm: 'ECDSA_SHA_256' })).Signature!
  peer = (await kms.getPublicKey({ KeyId: keys.agreement })).PublicKey!
  const grants = [0, 1].map(async index => {
    const grant = {
      KeyId: keys.symmetric,
      GranteePrincipal: role.arn,
      Operations: ['Decrypt' as const],
      Name: `${index}`,
    }
    return (await kms.createGrant(grant)).GrantId!
  })
  grantIds = await Promise.all(grants)
  await kms.createAlias({ AliasName: 'alias/updated', TargetKeyId: keys.symmetric })
})
afterAll(async () => {
  sts?.destroy()
  trail?.destroy()
  await gateway?.stop()
  installation?.remove()
  token?.softHsm.remove()
})

const Plaintext = Buffer.from('the plaintext of a sample')
const Message = createHash('sha256').update('sample').digest()
const EncryptionContext = { Department: 'Engineering' }

/** The records that a call leaves. */
/** Of calls only: the gateway may record something of its own meanwhile. */
async function recordsOf(call: () => Promise<unknown>): Promise<AuditRecord[]> {
  const calls = () => gateway.records().filter(({ eventType }) => eventType === 'AwsApiCall')
  const before = calls().length
  await call().catch(() => undefined)
  return calls().slice(before)
}

async function importMaterial() {
  const KeyId = keys.external
  const { ImportToken, PublicKey } = await kms.getParametersForImport({ KeyId, ...wrapping })
  return kms.importKeyMaterial({
    KeyId,
    ImportToken,
    EncryptedKeyMaterial: wrapMaterial(
      PublicKey!,
      wrapping.WrappingAlgorithm,
      createHash('sha256').update('material').digest(),
    ),
    ValidTo: new Date(Date.now() + 86_400_000),
    ExpirationModel: 'KEY_MATERIAL_EXPIRES',
    ImportType: 'NEW_KEY_MATERIAL',
    KeyMaterialDescription: 'sample',
  })
}

async function keyPolicy() {
  const { Policy } = await kms.getKeyPolicy({ KeyId: keys.symmetric })
  return kms.putKeyPolicy({ KeyId: keys.symmetric, Policy })
}

interface Sample {
  readonly call: () => Promise<unknown>
  /** Names of members, separated by blanks; empty for null. */
  readonly request?: string
  readonly response?: string
  /** Of additionalEventData. */
  readonly data?: string
  /** Their types, without the prefix. */
  readonly resources?: string
  readonly changes?: true
}

const key = 'KMS::Key'
const storeData = 'clusterId customKeyStoreName'
const algorithm = 'encryptionAlgorithm encryptionContext keyId'
const wrapping = { WrappingAlgorithm: 'RSAES_OAEP_SHA_1', WrappingKeySpec: 'RSA_2048' } as const

/**
 * KMS Developer Guide, "Log entries for AWS KMS API calls" (and "CloudTrail log entries for this operation recorded on or after December 2022
 * include the key ARN"); IAM User Guide, "Example AWS STS API events in CloudTrail log".
 */
const samples: Readonly<Record<string, Sample>> = {
  CreateAlias: {
    call: () => kms.createAlias({ AliasName: 'alias/sample', TargetKeyId: keys.symmetric }),
    request: 'aliasName targetKeyId',
    response: 'keyId',
    resources: 'KMS::Key KMS::Alias',
    changes: true,
  },
  CreateGrant: {
    call: () =>
      kms.createGrant({
        KeyId: keys.symmetric,
        GranteePrincipal: role.arn,
        RetiringPrincipal: role.arn,
        Operations: ['Encrypt', 'RetireGrant'],
        Constraints: { EncryptionContextSubset: EncryptionContext },
      }),
    request: 'constraints granteePrincipal keyId operations retiringPrincipal',
    response: 'grantId keyId',
    resources: key,
    changes: true,
  },
  CreateKey: {
    call: () => kms.createKey({}),
    request: 'bypassPolicyLockoutSafetyCheck customerMasterKeySpec description keySpec keyUsage multiRegion origin',
    response: 'keyId keyMetadata',
    resources: key,
    changes: true,
  },
  Decrypt: {
    call: () => kms.decrypt({ CiphertextBlob: ciphertext, EncryptionContext }),
    request: 'encryptionAlgorithm encryptionContext',
    data: 'keyMaterialId',
    resources: key,
  },
  DeleteAlias: {
    call: () => kms.deleteAlias({ AliasName: 'alias/sample' }),
    request: 'aliasName',
    response: 'keyId',
    resources: 'KMS::Key KMS::Alias',
    changes: true,
  },
  DeriveSharedSecret: {
    call: () => kms.deriveSharedSecret({ KeyId: keys.agreement, KeyAgreementAlgorithm: 'ECDH', PublicKey: peer }),
    request: 'keyAgreementAlgorithm keyId',
    resources: key,
  },
  // KMS Developer Guide, "CreateCustomKeyStore" and the following.
  CreateCustomKeyStore: {
    call: async () => (storeId = (await kms.createCustomKeyStore(token.settings)).CustomKeyStoreId!),
    request: 'clusterId customKeyStoreName',
    response: 'customKeyStoreId',
    changes: true,
  },
  UpdateCustomKeyStore: {
    call: () => kms.updateCustomKeyStore({ CustomKeyStoreId: storeId, NewCustomKeyStoreName: 'renamed' }),
    request: 'customKeyStoreId newCustomKeyStoreName',
    data: storeData,
    changes: true,
  },
  ConnectCustomKeyStore: {
    call: () => kms.connectCustomKeyStore({ CustomKeyStoreId: storeId }),
    request: 'customKeyStoreId',
    data: storeData,
    changes: true,
  },
  DisconnectCustomKeyStore: {
    call: () => kms.disconnectCustomKeyStore({ CustomKeyStoreId: storeId }),
    request: 'customKeyStoreId',
    data: storeData,
    changes: true,
  },
  DeleteCustomKeyStore: {
    call: async () => {
      await settled(kms, storeId)
      return kms.deleteCustomKeyStore({ CustomKeyStoreId: storeId })
    },
    request: 'customKeyStoreId',
    data: storeData,
    changes: true,
  },
  DescribeCustomKeyStores: { call: () => kms.describeCustomKeyStores({ Limit: 5 }), request: 'limit' },
  DescribeKey: { call: () => kms.describeKey({ KeyId: keys.symmetric }), request: 'keyId', resources: key },
  DisableKey: {
    call: () => kms.disableKey({ KeyId: keys.mac }),
    request: 'keyId',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  DisableKeyRotation: {
    call: () => kms.disableKeyRotation({ KeyId: keys.symmetric }),
    request: 'keyId',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  EnableKey: {
    call: () => kms.enableKey({ KeyId: keys.mac }),
    request: 'keyId',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  EnableKeyRotation: {
    call: () => kms.enableKeyRotation({ KeyId: keys.symmetric, RotationPeriodInDays: 180 }),
    request: 'keyId rotationPeriodInDays',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  Encrypt: {
    call: () => kms.encrypt({ KeyId: keys.symmetric, Plaintext, EncryptionContext }),
    request: algorithm,
    data: 'keyMaterialId',
    resources: key,
  },
  GenerateDataKey: {
    call: () => kms.generateDataKey({ KeyId: keys.symmetric, KeySpec: 'AES_256', EncryptionContext }),
    request: 'encryptionContext keyId keySpec',
    data: 'keyMaterialId',
    resources: key,
  },
  GenerateDataKeyPair: {
    call: () => kms.generateDataKeyPair({ KeyId: keys.symmetric, KeyPairSpec: 'ECC_NIST_P256', EncryptionContext }),
    request: 'encryptionContext keyId keyPairSpec',
    data: 'keyMaterialId',
    resources: key,
  },
  GenerateDataKeyPairWithoutPlaintext: {
    call: () =>
      kms.generateDataKeyPairWithoutPlaintext({
        KeyId: keys.symmetric,
        KeyPairSpec: 'ECC_NIST_P256',
        EncryptionContext,
      }),
    request: 'encryptionContext keyId keyPairSpec',
    data: 'keyMaterialId',
    resources: key,
  },
  GenerateDataKeyWithoutPlaintext: {
    call: () => kms.generateDataKeyWithoutPlaintext({ KeyId: keys.symmetric, NumberOfBytes: 64, EncryptionContext }),
    request: 'encryptionContext keyId numberOfBytes',
    data: 'keyMaterialId',
    resources: key,
  },
  GenerateMac: {
    call: () => kms.generateMac({ KeyId: keys.mac, Message, MacAlgorithm: 'HMAC_SHA_256' }),
    request: 'keyId macAlgorithm',
    resources: key,
  },
  GenerateRandom: { call: () => kms.generateRandom({ NumberOfBytes: 16 }), request: 'numberOfBytes' },
  GetKeyLastUsage: { call: () => kms.getKeyLastUsage({ KeyId: keys.symmetric }), request: 'keyId', resources: key },
  GetKeyPolicy: {
    call: () => kms.getKeyPolicy({ KeyId: keys.symmetric, PolicyName: 'default' }),
    request: 'keyId policyName',
    resources: key,
  },
  GetKeyRotationStatus: {
    call: () => kms.getKeyRotationStatus({ KeyId: keys.symmetric }),
    request: 'keyId',
    resources: key,
  },
  GetParametersForImport: {
    call: () => kms.getParametersForImport({ KeyId: keys.external, ...wrapping }),
    request: 'keyId wrappingAlgorithm wrappingKeySpec',
    resources: key,
  },
  GetPublicKey: { call: () => kms.getPublicKey({ KeyId: keys.signing }), request: 'keyId', resources: key },
  ImportKeyMaterial: {
    call: importMaterial,
    request: 'expirationModel importType keyId keyMaterialDescription validTo',
    response: 'keyId keyMaterialId',
    resources: key,
    changes: true,
  },
  DeleteImportedKeyMaterial: {
    call: () => kms.deleteImportedKeyMaterial({ KeyId: keys.external }),
    request: 'keyId',
    response: 'keyId keyMaterialId',
    resources: key,
    changes: true,
  },
  ListAliases: { call: () => kms.listAliases({ Limit: 5 }), request: 'limit' },
  ListGrants: {
    call: () => kms.listGrants({ KeyId: keys.symmetric, Limit: 5 }),
    request: 'keyId limit',
    resources: key,
  },
  ListKeyPolicies: { call: () => kms.listKeyPolicies({ KeyId: keys.symmetric }), request: 'keyId', resources: key },
  ListKeyRotations: { call: () => kms.listKeyRotations({ KeyId: keys.symmetric }), request: 'keyId', resources: key },
  ListKeys: { call: () => kms.listKeys({}) },
  ListResourceTags: {
    call: () => kms.listResourceTags({ KeyId: keys.symmetric, Limit: 5 }),
    request: 'keyId limit',
    resources: key,
  },
  ListRetirableGrants: {
    call: () => kms.listRetirableGrants({ RetiringPrincipal: role.arn }),
    request: 'retiringPrincipal',
  },
  PutKeyPolicy: {
    call: keyPolicy,
    request: 'bypassPolicyLockoutSafetyCheck keyId policy policyName',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  ReEncrypt: {
    call: () =>
      kms.reEncrypt({
        CiphertextBlob: ciphertext,
        SourceEncryptionContext: EncryptionContext,
        DestinationKeyId: keys.shared,
        DestinationEncryptionContext: EncryptionContext,
      }),
    request:
      'destinationEncryptionAlgorithm destinationEncryptionContext destinationKeyId sourceEncryptionAlgorithm sourceEncryptionContext',
    data: 'destinationKeyMaterialId sourceKeyMaterialId',
    resources: 'KMS::Key KMS::Key',
  },
  ReplicateKey: {
    call: () => kms.replicateKey({ KeyId: keys.multiRegion, ReplicaRegion: 'us-west-2' }),
    request: 'bypassPolicyLockoutSafetyCheck description keyId replicaRegion',
    response: 'keyId replicaKeyMetadata replicaPolicy',
    resources: key,
    changes: true,
  },
  RetireGrant: {
    call: () => kms.retireGrant({ KeyId: keys.symmetric, GrantId: grantIds[0]! }),
    response: 'keyId',
    data: 'grantId',
    resources: key,
    changes: true,
  },
  RevokeGrant: {
    call: () => kms.revokeGrant({ KeyId: keys.symmetric, GrantId: grantIds[1]! }),
    request: 'grantId keyId',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  RotateKeyOnDemand: {
    call: () => kms.rotateKeyOnDemand({ KeyId: keys.symmetric }),
    request: 'keyId',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  ScheduleKeyDeletion: {
    call: () => kms.scheduleKeyDeletion({ KeyId: keys.agreement, PendingWindowInDays: 7 }),
    request: 'keyId pendingWindowInDays',
    response: 'deletionDate keyId keyState pendingWindowInDays',
    resources: key,
    changes: true,
  },
  CancelKeyDeletion: {
    call: () => kms.cancelKeyDeletion({ KeyId: keys.agreement }),
    request: 'keyId',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  Sign: {
    call: () => kms.sign({ KeyId: keys.signing, Message, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' }),
    request: 'keyId messageType signingAlgorithm',
    resources: key,
  },
  TagResource: {
    call: () => kms.tagResource({ KeyId: keys.symmetric, Tags: [{ TagKey: 'Department', TagValue: 'IT' }] }),
    request: 'keyId tags',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  UntagResource: {
    call: () => kms.untagResource({ KeyId: keys.symmetric, TagKeys: ['Department'] }),
    request: 'keyId tagKeys',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  UpdateAlias: {
    call: () => kms.updateAlias({ AliasName: 'alias/updated', TargetKeyId: keys.shared }),
    request: 'aliasName targetKeyId',
    response: 'keyId',
    // The sample has the new key only.
    resources: 'KMS::Key KMS::Key KMS::Alias',
    changes: true,
  },
  UpdateKeyDescription: {
    call: () => kms.updateKeyDescription({ KeyId: keys.symmetric, Description: 'New description' }),
    request: 'description keyId',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  UpdatePrimaryRegion: {
    call: () => kms.updatePrimaryRegion({ KeyId: keys.multiRegion, PrimaryRegion: 'us-west-2' }),
    request: 'keyId primaryRegion',
    response: 'keyId',
    resources: key,
    changes: true,
  },
  Verify: {
    call: () => kms.verify({ KeyId: keys.signing, Message, Signature: signature, SigningAlgorithm: 'ECDSA_SHA_256' }),
    request: 'keyId signingAlgorithm',
    resources: key,
  },
  VerifyMac: {
    call: () => kms.verifyMac({ KeyId: keys.mac, Message, Mac: mac, MacAlgorithm: 'HMAC_SHA_256' }),
    request: 'keyId macAlgorithm',
    resources: key,
  },
  LookupEvents: {
    call: () =>
      trail.lookupEvents({
        LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'Decrypt' }],
        StartTime: new Date(0),
        MaxResults: 5,
      }),
    request: 'lookupAttributes maxResults startTime',
  },
  AssumeRole: {
    call: () => sts.assumeRole({ RoleArn: role.arn, RoleSessionName: 'nightly', DurationSeconds: 900 }),
    request: 'durationSeconds roleArn roleSessionName',
    response: 'assumedRoleUser credentials',
    resources: 'IAM::Role',
  },
  DecodeAuthorizationMessage: { call: () => sts.decodeAuthorizationMessage({ EncodedMessage: 'sample' }) },
  GetAccessKeyInfo: {
    call: () => sts.getAccessKeyInfo({ AccessKeyId: installation.credentials[home]!.accessKeyId }),
    request: 'accessKeyId',
  },
  GetCallerIdentity: { call: () => sts.getCallerIdentity({}) },
  GetSessionToken: {
    call: () => sts.getSessionToken({ DurationSeconds: 900 }),
    request: 'durationSeconds',
    response: 'credentials',
  },
}

const wordsOf = (text = '') => text.split(' ').filter(Boolean)
const namesOf = (members: object | null | undefined) => (members ? Object.keys(members).sort() : null)

/** Of a call that succeeded. The order is that of the samples. */
const common = [
  'additionalEventData',
  'awsRegion',
  'eventCategory',
  'eventID',
  'eventName',
  'eventSource',
  'eventTime',
  'eventType',
  'eventVersion',
  'managementEvent',
  'readOnly',
  'recipientAccountId',
  'requestID',
  'requestParameters',
  'resources',
  'responseElements',
  'sourceIPAddress',
  'userAgent',
  'userIdentity',
]

describe('the record of each operation', () => {
  it('is compared with a sample', () => {
    const names = [...kmsOperations, ...stsOperations, ...trailOperations].map(({ name }) => name)
    // Whose caller is known by a token only: see assume-role.test.ts.
    expect(Object.keys(samples).sort()).toEqual(names.filter(name => name !== 'AssumeRoleWithWebIdentity').sort())
  })

  it.each(Object.entries(samples))('%s', async (eventName, { call, request, response, data, resources, changes }) => {
    const records = await recordsOf(call)
    // That of another region may follow.
    const record = records.findLast(({ eventName: name }) => name === eventName)!
    const failure = eventName === 'DecodeAuthorizationMessage' ? ['errorCode', 'errorMessage'] : []
    expect(namesOf(record)).toEqual([...common, ...failure].sort())
    expect(record).toMatchObject({
      eventVersion: '1.11',
      eventType: 'AwsApiCall',
      eventCategory: 'Management',
      managementEvent: true,
      readOnly: changes !== true,
      recipientAccountId: home,
      userIdentity: { type: 'IAMUser', userName: 'administrator' },
    })
    expect(namesOf(record.requestParameters)).toEqual(request === undefined ? null : wordsOf(request).sort())
    expect(namesOf(record.responseElements)).toEqual(response === undefined ? null : wordsOf(response).sort())
    expect(namesOf(record.additionalEventData)).toEqual([...wordsOf(data), 'strongroom'].sort())
    expect(record.resources!.map(({ type }) => type)).toEqual(wordsOf(resources).map(type => `AWS::${type}`))
    for (const { ARN, accountId } of record.resources!) expect(ARN).toContain(`:${accountId}:`)
  })

  it('has dates as AWS writes them', () => {
    const date = /^[A-Z][a-z]{2} \d{1,2}, \d{4}, \d{1,2}:\d\d:\d\d [AP]M$/
    const last = (name: string) => gateway.records().findLast(({ eventName }) => eventName === name)!
    expect(last('ImportKeyMaterial').requestParameters!.validTo).toMatch(date)
    expect(last('ScheduleKeyDeletion').responseElements!.deletionDate).toMatch(date)
    expect(last('CreateKey').responseElements!.keyMetadata).toMatchObject({
      aWSAccountId: home,
      creationDate: expect.stringMatching(date),
    })
    expect(last('AssumeRole').responseElements!.credentials).toEqual({
      accessKeyId: expect.stringMatching(/^ASIA/),
      expiration: expect.stringMatching(date),
    })
  })
})

/** What published rules look for: the field by its path, and what it is. */
const rules: readonly (readonly [string, string, () => Promise<unknown>, Readonly<Record<string, unknown>>])[] = [
  [
    'scheduled deletion and disabling of keys',
    'DisableKey',
    () => kms.disableKey({ KeyId: keys.shared }),
    {
      eventSource: 'kms.amazonaws.com',
      'requestParameters.keyId': () => keys.shared,
      'resources.0.ARN': () => keys.shared,
    },
  ],
  [
    'grants to other accounts',
    'CreateGrant',
    () => kms.createGrant({ KeyId: keys.symmetric, GranteePrincipal: bob.arn, Operations: ['Decrypt'] }),
    { 'requestParameters.granteePrincipal': () => bob.arn, 'requestParameters.operations.0': 'Decrypt' },
  ],
  [
    'decryption for an unusual context by a session',
    'Decrypt',
    async () => (await asSession()).decrypt({ CiphertextBlob: ciphertext, EncryptionContext }),
    {
      errorCode: 'AccessDenied',
      'requestParameters.encryptionContext.Department': 'Engineering',
      'userIdentity.type': 'AssumedRole',
      'userIdentity.sessionContext.sessionIssuer.arn': () => role.arn,
      'userIdentity.sessionContext.attributes.mfaAuthenticated': 'false',
    },
  ],
]

async function asSession() {
  const { Credentials } = await sts.assumeRole({ RoleArn: role.arn, RoleSessionName: 'nightly' })
  const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!
  const credentials = { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! }
  return gateway.client({ credentials })
}

it.each(rules)('a rule for %s finds what it looks for', async (_, eventName, call, fields) => {
  const record = (await recordsOf(call)).findLast(record => record.eventName === eventName)!
  expect(record.requestID).toMatch(/^[0-9a-f-]{36}$/)
  for (const [path, expected] of Object.entries(fields)) {
    const value = path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown>)?.[name], record)
    expect([path, value]).toEqual([path, typeof expected === 'function' ? expected() : expected])
  }
})

describe('a call on a key of another account', () => {
  it('is on record for both accounts, with one request and one shared event', async () => {
    await kms.enableKey({ KeyId: keys.shared })
    const client = gateway.client({ credentials: bob.credentials })
    const calls: readonly (() => Promise<unknown>)[] = [
      () => client.encrypt({ KeyId: keys.shared, Plaintext }),
      () => client.createGrant({ KeyId: keys.shared, GranteePrincipal: bob.arn, Operations: ['Encrypt'] }),
    ]
    for (const call of calls) {
      const [copy, own, ...more] = await recordsOf(call)
      expect(more).toEqual([])
      expect([own!.errorCode, own!.recipientAccountId, copy!.recipientAccountId]).toEqual([undefined, other, home])
      expect(copy!.userIdentity).toEqual({ type: 'AWSAccount', principalId: bob.principalId, accountId: other })
      for (const member of [
        'requestID',
        'sharedEventID',
        'requestParameters',
        'responseElements',
        'resources',
      ] as const)
        expect(copy![member]).toEqual(own![member])
      expect(copy!.eventID).not.toBe(own!.eventID)
    }
  })

  it('is on record for the caller only if it is denied', async () => {
    const client = gateway.client({ credentials: bob.credentials })
    const records = await recordsOf(() => client.describeKey({ KeyId: keys.shared }))
    expect(records).toMatchObject([{ errorCode: 'AccessDenied', recipientAccountId: other }])
    expect(records[0]).not.toHaveProperty('sharedEventID')
  })
})

it('a probe is no call, and leaves no record', async () => {
  const records = await recordsOf(async () => {
    for (const path of ['/healthz', '/readyz'])
      for (let count = 0; count < 3; count++)
        expect((await send(`${gateway.url}${path}`, { method: 'GET' })).status).toBe(200)
  })
  expect(records).toEqual([])
})

it('a request without a signature leaves a record of at most two kilobytes', async () => {
  const long = '"'.repeat(7000)
  const form = 'application/x-www-form-urlencoded'
  const parameters = { Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', RoleArn: role.arn }
  const body = new URLSearchParams({
    ...parameters,
    RoleSessionName: 's',
    WebIdentityToken: 'no token',
    Policy: long.slice(0, 2000),
  })
  const bodies = [undefined, Buffer.from(String(body))]
  for (const sent of bodies) {
    const options = { method: 'POST', headers: { 'user-agent': long, 'content-type': form } }
    const [record, ...more] = await recordsOf(() => send(gateway.url, options, sent))
    expect(more).toEqual([])
    expect(record!.errorCode).toBeDefined()
    expect(Buffer.byteLength(JSON.stringify(record))).toBeLessThanOrEqual(2048)
  }
})
