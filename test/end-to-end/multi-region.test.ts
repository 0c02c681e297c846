import type { CreateKeyRequest, KMS, ReplicateKeyRequest } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Identity, policyOf, withIdentities } from './identities.ts'
import { refusal } from './requests.ts'

/** Multi-Region keys through the AWS SDK, in regions with the same HSM. */

const regions = ['us-east-1', 'eu-west-1', 'ap-south-1', 'eu-north-1', 'cn-north-1'] as const
type Region = (typeof regions)[number]

let installation: Installation
let gateway: Gateway
const kms = {} as Record<Region, KMS>
let alice: Identity

beforeAll(async () => {
  installation = await install()
  installation.configure(config => {
    config.regions = Object.fromEntries(regions.map(region => [region, 'softhsm']))
  })
  await withIdentities(installation, async identities => {
    const allow = { Effect: 'Allow', Action: 'kms:*', Resource: '*' }
    const deny = (Action: string, name: string, value: string) => {
      return { Effect: 'Deny', Action, Resource: '*', Condition: { StringEquals: { [name]: value } } }
    }
    const replicas = { 'kms:MultiRegionKeyType': 'REPLICA', 'aws:RequestedRegion': 'ap-south-1' }
    const notInIndia = { Effect: 'Deny', Action: 'kms:CreateKey', Resource: '*', Condition: { StringEquals: replicas } }
    const notNorth = deny('kms:ReplicateKey', 'kms:ReplicaRegion', 'eu-north-1')
    const policies = [policyOf(allow, notInIndia, notNorth, deny('kms:TagResource', 'aws:RequestTag/Secret', 'yes'))]
    alice = await identities.user(home, 'alice', { policies })
  })
  gateway = await serve(installation)
  for (const region of regions) kms[region] = gateway.client({ region })
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

const Plaintext = Buffer.from('a plaintext')
const arnIn = (region: string, id: string) => `arn:aws:kms:${region}:${home}:key/${id}`
const metadata = async (region: Region, KeyId: string) => (await kms[region].describeKey({ KeyId })).KeyMetadata!

/** A primary key in us-east-1. */
async function createPrimary(request: Omit<CreateKeyRequest, 'MultiRegion'> = {}): Promise<string> {
  return (await kms['us-east-1'].createKey({ ...request, MultiRegion: true })).KeyMetadata!.KeyId!
}

const replicate = (KeyId: string, ReplicaRegion: string, rest: Partial<ReplicateKeyRequest> = {}) =>
  kms['us-east-1'].replicateKey({ KeyId, ReplicaRegion, ...rest })

describe('CreateKey with MultiRegion', () => {
  it('creates a primary key without replicas', async () => {
    const KeyId = await createPrimary()
    expect(KeyId).toMatch(/^mrk-[0-9a-f]{32}$/)
    const PrimaryKey = { Arn: arnIn('us-east-1', KeyId), Region: 'us-east-1' }
    expect(await metadata('us-east-1', KeyId)).toMatchObject({
      Arn: PrimaryKey.Arn,
      MultiRegion: true,
      MultiRegionConfiguration: { MultiRegionKeyType: 'PRIMARY', PrimaryKey, ReplicaKeys: [] },
      KeyState: 'Enabled',
    })
    expect(await refusal(kms['eu-west-1'].describeKey({ KeyId }))).toBe(
      `NotFoundException: Key '${arnIn('eu-west-1', KeyId)}' does not exist`,
    )
  })
})

describe('ReplicateKey', () => {
  it('answers a replica that is enabled, with the material of the primary key and properties of its own', async () => {
    const KeyId = await createPrimary({ Description: 'the primary', Tags: [{ TagKey: 'a', TagValue: 'b' }] })
    await kms['us-east-1'].createAlias({ AliasName: 'alias/shared', TargetKeyId: KeyId })
    const primary = await metadata('us-east-1', KeyId)
    const answer = await replicate(KeyId, 'eu-west-1')
    const configuration = {
      PrimaryKey: { Arn: arnIn('us-east-1', KeyId), Region: 'us-east-1' },
      ReplicaKeys: [{ Arn: arnIn('eu-west-1', KeyId), Region: 'eu-west-1' }],
    }
    expect(answer.ReplicaKeyMetadata).toEqual({
      ...primary,
      Arn: arnIn('eu-west-1', KeyId),
      CreationDate: expect.any(Date),
      Description: '',
      MultiRegionConfiguration: { MultiRegionKeyType: 'REPLICA', ...configuration },
    })
    expect(answer.ReplicaKeyMetadata!.CreationDate!.getTime()).toBeGreaterThan(primary.CreationDate!.getTime())
    expect(JSON.parse(answer.ReplicaPolicy!)).toMatchObject({
      Id: 'key-default-1',
      Statement: [{ Sid: 'Enable IAM User Permissions' }],
    })
    expect(answer.ReplicaTags).toBeUndefined()
    expect(await metadata('eu-west-1', KeyId)).toEqual(answer.ReplicaKeyMetadata)
    expect((await metadata('us-east-1', KeyId)).MultiRegionConfiguration).toEqual({
      MultiRegionKeyType: 'PRIMARY',
      ...configuration,
    })
    expect((await kms['eu-west-1'].listAliases({ KeyId })).Aliases).toEqual([])
    expect((await kms['eu-west-1'].listResourceTags({ KeyId })).Tags).toEqual([])
  })

  it('gives the replica its own policy, description and tags', async () => {
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: home }, Action: 'kms:*', Resource: '*' }],
    })
    const Tags = [{ TagKey: 'Region', TagValue: 'Ireland' }]
    const KeyId = await createPrimary()
    const answer = await replicate(KeyId, 'eu-west-1', { Policy, Description: 'Ireland', Tags })
    expect(answer).toMatchObject({
      ReplicaPolicy: Policy,
      ReplicaTags: Tags,
      ReplicaKeyMetadata: { Description: 'Ireland' },
    })
    expect((await kms['eu-west-1'].getKeyPolicy({ KeyId })).Policy).toBe(Policy)
    expect((await kms['us-east-1'].listResourceTags({ KeyId })).Tags).toEqual([])
  })

  it.each([
    ['SYMMETRIC_DEFAULT', undefined],
    ['HMAC_256', 'GENERATE_VERIFY_MAC'],
    ['ECC_NIST_P256', 'SIGN_VERIFY'],
  ] as const)('replicates a key of spec %s, which does the same in every region', async (KeySpec, KeyUsage) => {
    const KeyId = await createPrimary({ KeySpec, KeyUsage })
    for (const region of ['eu-west-1', 'ap-south-1']) await replicate(KeyId, region)
    for (const [from, to] of [
      ['us-east-1', 'eu-west-1'],
      ['eu-west-1', 'ap-south-1'],
      ['ap-south-1', 'us-east-1'],
    ] as const) {
      if (KeySpec === 'SYMMETRIC_DEFAULT') {
        const { CiphertextBlob } = await kms[from].encrypt({ KeyId, Plaintext })
        const decrypted = await kms[to].decrypt({ CiphertextBlob })
        expect(Buffer.from(decrypted.Plaintext!)).toEqual(Plaintext)
        expect(decrypted.KeyId).toBe(arnIn(to, KeyId))
      }
      if (KeySpec === 'HMAC_256') {
        const MacAlgorithm = 'HMAC_SHA_256'
        const { Mac } = await kms[from].generateMac({ KeyId, Message: Plaintext, MacAlgorithm })
        expect(await kms[to].verifyMac({ KeyId, Message: Plaintext, MacAlgorithm, Mac })).toMatchObject({
          MacValid: true,
        })
      }
      if (KeySpec === 'ECC_NIST_P256') {
        const SigningAlgorithm = 'ECDSA_SHA_256'
        const { Signature } = await kms[from].sign({ KeyId, Message: Plaintext, SigningAlgorithm })
        const verified = await kms[to].verify({ KeyId, Message: Plaintext, SigningAlgorithm, Signature })
        expect(verified.SignatureValid).toBe(true)
        expect((await kms[to].getPublicKey({ KeyId })).PublicKey).toEqual(
          (await kms[from].getPublicKey({ KeyId })).PublicKey,
        )
      }
    }
  })

  it('is refused for all but a primary key, and where no replica can be', async () => {
    const KeyId = await createPrimary()
    await replicate(KeyId, 'eu-west-1')
    const single = (await kms['us-east-1'].createKey({})).KeyMetadata!
    const unsupported = (text: string) => `UnsupportedOperationException: ${text}`
    for (const [region, id, replicaRegion, text] of [
      ['us-east-1', KeyId, 'us-east-1', 'us-east-1 cannot have a replica because it contains the primary.'],
      ['us-east-1', single.KeyId, 'eu-west-1', `${single.Arn} is not a multi-region key.`],
      ['eu-west-1', KeyId, 'ap-south-1', `${arnIn('eu-west-1', KeyId)} is not a multi-region primary key.`],
      ['us-east-1', KeyId, 'cn-north-1', 'cn-north-1 is not in the same partition as us-east-1.'],
      ['us-east-1', KeyId, 'eu-west-3', 'eu-west-3 is not a region of this gateway.'],
    ] as const)
      expect(await refusal(kms[region].replicateKey({ KeyId: id, ReplicaRegion: replicaRegion }))).toBe(
        unsupported(text),
      )
    expect(await refusal(replicate(KeyId, 'eu-west-1'))).toBe(
      `AlreadyExistsException: ${arnIn('eu-west-1', KeyId)} already exists.`,
    )
    for (const region of ['', 'Europe', 'eu-west-1/', '__proto__'])
      expect(await refusal(replicate(KeyId, region)), region).toMatch(/^ValidationException/)
    await kms['us-east-1'].disableKey({ KeyId })
    expect(await refusal(replicate(KeyId, 'ap-south-1'))).toMatch(/^DisabledException/)
  })

  it('makes one replica, if it is asked for several at once', async () => {
    const KeyId = await createPrimary()
    const answers = await Promise.all([1, 2, 3].map(() => refusal(replicate(KeyId, 'eu-west-1'))))
    expect(answers.sort()).toEqual([
      ...Array(2).fill(`AlreadyExistsException: ${arnIn('eu-west-1', KeyId)} already exists.`),
      'no refusal',
    ])
  })
})

describe('UpdatePrimaryRegion', () => {
  it('makes a replica the primary key, at once and in every region', async () => {
    const KeyId = await createPrimary()
    for (const region of ['eu-west-1', 'ap-south-1']) await replicate(KeyId, region)
    await kms['us-east-1'].updatePrimaryRegion({ KeyId, PrimaryRegion: 'eu-west-1' })
    for (const region of ['us-east-1', 'eu-west-1', 'ap-south-1'] as const) {
      expect(await metadata(region, KeyId)).toMatchObject({
        KeyState: 'Enabled',
        MultiRegionConfiguration: {
          MultiRegionKeyType: region === 'eu-west-1' ? 'PRIMARY' : 'REPLICA',
          PrimaryKey: { Region: 'eu-west-1' },
          ReplicaKeys: [{ Region: 'ap-south-1' }, { Region: 'us-east-1' }],
        },
      })
    }
    expect(await refusal(replicate(KeyId, 'ap-south-1'))).toBe(
      `UnsupportedOperationException: ${arnIn('us-east-1', KeyId)} is not a multi-region primary key.`,
    )
    const ReplicaRegion = 'us-east-1'
    expect(await refusal(kms['eu-west-1'].replicateKey({ KeyId, ReplicaRegion }))).toMatch(/^AlreadyExistsException/)
    await kms['eu-west-1'].updatePrimaryRegion({ KeyId, PrimaryRegion: 'us-east-1' })
    expect((await metadata('us-east-1', KeyId)).MultiRegionConfiguration!.MultiRegionKeyType).toBe('PRIMARY')
  })

  it('needs both keys, enabled, of which the named one is the primary key', async () => {
    const KeyId = await createPrimary()
    await replicate(KeyId, 'eu-west-1')
    const single = (await kms['us-east-1'].createKey({})).KeyMetadata!
    const promote = (region: Region, id: string, PrimaryRegion: string) =>
      refusal(kms[region].updatePrimaryRegion({ KeyId: id, PrimaryRegion }))
    const [here, there] = [arnIn('us-east-1', KeyId), arnIn('eu-west-1', KeyId)]
    const unsupported = 'UnsupportedOperationException:'
    for (const [region, id, target, text] of [
      ['us-east-1', single.KeyId!, 'eu-west-1', `${unsupported} ${single.Arn} is not a multi-region key.`],
      ['eu-west-1', KeyId, 'us-east-1', `${unsupported} ${there} is not a multi-region primary key.`],
      ['us-east-1', KeyId, 'us-east-1', `${unsupported} ${here} is the multi-region primary key already.`],
      ['us-east-1', KeyId, 'ap-south-1', `NotFoundException: Key '${arnIn('ap-south-1', KeyId)}' does not exist`],
    ] as const)
      expect(await promote(region, id, target)).toBe(text)
    await kms['eu-west-1'].disableKey({ KeyId })
    expect(await promote('us-east-1', KeyId, 'eu-west-1')).toBe(`DisabledException: ${there} is disabled.`)
    await kms['eu-west-1'].scheduleKeyDeletion({ KeyId })
    expect(await promote('us-east-1', KeyId, 'eu-west-1')).toBe(
      `KMSInvalidStateException: ${there} is pending deletion.`,
    )
    await kms['us-east-1'].disableKey({ KeyId })
    expect(await promote('us-east-1', KeyId, 'eu-west-1')).toBe(`DisabledException: ${here} is disabled.`)
  })

  it('needs the permission of the policy of each key', async () => {
    const policy = (action: string) =>
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Principal: { AWS: home }, Action: 'kms:*', Resource: '*' },
          { Effect: 'Deny', Principal: '*', Action: action, Resource: '*' },
        ],
      })
    for (const denying of ['us-east-1', 'eu-west-1'] as const) {
      const KeyId = await createPrimary()
      await replicate(KeyId, 'eu-west-1')
      await kms[denying].putKeyPolicy({ KeyId, Policy: policy('kms:UpdatePrimaryRegion') })
      const asked = kms['us-east-1'].updatePrimaryRegion({ KeyId, PrimaryRegion: 'eu-west-1' })
      expect(await refusal(asked)).toBe(
        `AccessDeniedException: User: arn:aws:iam::${home}:user/administrator is not authorized to perform: kms:UpdatePrimaryRegion on resource: ${arnIn(denying, KeyId)} with an explicit deny in a resource-based policy`,
      )
    }
  })
})

describe('the deletion of a multi-Region key', () => {
  it('in one region leaves it in others, and may be taken back by another replication', async () => {
    const KeyId = await createPrimary()
    await replicate(KeyId, 'eu-west-1')
    const { CiphertextBlob } = await kms['eu-west-1'].encrypt({ KeyId, Plaintext })
    const scheduled = await kms['eu-west-1'].scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 })
    expect(scheduled).toMatchObject({ KeyState: 'PendingDeletion', DeletionDate: expect.any(Date) })
    expect(await refusal(replicate(KeyId, 'eu-west-1'))).toMatch(/^AlreadyExistsException/)
    expect(Buffer.from((await kms['us-east-1'].decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Plaintext)
  })

  it('waits for its replicas, if it is the primary key, and can be cancelled meanwhile', async () => {
    const KeyId = await createPrimary()
    await replicate(KeyId, 'eu-west-1')
    const Arn = arnIn('us-east-1', KeyId)
    const scheduled = await kms['us-east-1'].scheduleKeyDeletion({ KeyId, PendingWindowInDays: 9 })
    expect(scheduled).toEqual({
      $metadata: expect.anything(),
      KeyId: Arn,
      KeyState: 'PendingReplicaDeletion',
      PendingWindowInDays: 9,
    })
    const pending = await metadata('us-east-1', KeyId)
    expect(pending).toMatchObject({
      KeyState: 'PendingReplicaDeletion',
      Enabled: false,
      PendingDeletionWindowInDays: 9,
    })
    expect(pending.DeletionDate).toBeUndefined()
    expect((await metadata('eu-west-1', KeyId)).KeyState).toBe('Enabled')
    const waits = `KMSInvalidStateException: ${Arn} is pending deletion.`
    expect(await refusal(kms['us-east-1'].encrypt({ KeyId, Plaintext }))).toBe(waits)
    expect(await refusal(kms['us-east-1'].scheduleKeyDeletion({ KeyId }))).toBe(waits)
    expect(await refusal(replicate(KeyId, 'ap-south-1'))).toBe(waits)
    await kms['us-east-1'].cancelKeyDeletion({ KeyId })
    const cancelled = await metadata('us-east-1', KeyId)
    expect(cancelled.KeyState).toBe('Disabled')
    expect(cancelled.PendingDeletionWindowInDays).toBeUndefined()
  })
})

describe('the rotation of a multi-Region key', () => {
  it('is that of the primary key, and seen in every region', async () => {
    const KeyId = await createPrimary()
    for (const region of ['eu-west-1', 'ap-south-1']) await replicate(KeyId, region)
    await kms['us-east-1'].enableKeyRotation({ KeyId, RotationPeriodInDays: 90 })
    await kms['us-east-1'].rotateKeyOnDemand({ KeyId })
    const { CurrentKeyMaterialId } = await metadata('us-east-1', KeyId)
    const statusIn = async (region: Region) => {
      const { KeyRotationEnabled, RotationPeriodInDays, NextRotationDate } = await kms[region].getKeyRotationStatus({
        KeyId,
      })
      const { Rotations } = await kms[region].listKeyRotations({ KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })
      return {
        KeyRotationEnabled,
        RotationPeriodInDays,
        NextRotationDate,
        Rotations: Rotations!.map(rotation => ({ ...rotation, KeyId: '' })),
      }
    }
    const status = await statusIn('us-east-1')
    expect(status).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 90, Rotations: [{}, {}] })
    for (const region of ['eu-west-1', 'ap-south-1'] as const) {
      expect((await metadata(region, KeyId)).CurrentKeyMaterialId).toBe(CurrentKeyMaterialId)
      expect(await statusIn(region)).toEqual(status)
      const { CiphertextBlob } = await kms[region].encrypt({ KeyId, Plaintext })
      expect((await kms['us-east-1'].decrypt({ CiphertextBlob })).KeyMaterialId).toBe(CurrentKeyMaterialId)
    }
    const { CiphertextBlob } = await kms['us-east-1'].encrypt({ KeyId, Plaintext })
    expect((await kms['eu-west-1'].decrypt({ CiphertextBlob })).KeyMaterialId).toBe(CurrentKeyMaterialId)
    await kms['us-east-1'].disableKeyRotation({ KeyId })
    expect((await kms['eu-west-1'].getKeyRotationStatus({ KeyId })).KeyRotationEnabled).toBe(false)
  })

  it('brings all materials to a later replica, which a new primary key rotates with the others', async () => {
    const KeyId = await createPrimary()
    const { CiphertextBlob } = await kms['us-east-1'].encrypt({ KeyId, Plaintext })
    await kms['us-east-1'].rotateKeyOnDemand({ KeyId })
    await replicate(KeyId, 'eu-west-1')
    expect(Buffer.from((await kms['eu-west-1'].decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Plaintext)
    await kms['us-east-1'].updatePrimaryRegion({ KeyId, PrimaryRegion: 'eu-west-1' })
    await kms['eu-west-1'].rotateKeyOnDemand({ KeyId })
    expect((await kms['us-east-1'].listKeyRotations({ KeyId })).Rotations).toHaveLength(2)
  })

  it('is refused for a replica', async () => {
    const KeyId = await createPrimary()
    await replicate(KeyId, 'eu-west-1')
    const text = `UnsupportedOperationException: ${arnIn('eu-west-1', KeyId)} is not a multi-region primary key.`
    const replica = kms['eu-west-1']
    expect(await refusal(replica.enableKeyRotation({ KeyId }))).toBe(text)
    expect(await refusal(replica.disableKeyRotation({ KeyId }))).toBe(text)
    expect(await refusal(replica.rotateKeyOnDemand({ KeyId }))).toBe(text)
  })
})

describe('changes in several regions at once', () => {
  const everywhere = ['us-east-1', 'eu-west-1', 'ap-south-1'] as const

  it('all take effect, and leave every region with the same key material', async () => {
    const KeyId = await createPrimary()
    await replicate(KeyId, 'eu-west-1')
    const primary = kms['us-east-1']
    const blobs: Uint8Array[] = []
    const encrypt = async (region: Region) =>
      void blobs.push((await kms[region].encrypt({ KeyId, Plaintext })).CiphertextBlob!)
    const Tags = [{ TagKey: 'a', TagValue: 'b' }]
    const answers = await Promise.all(
      [
        primary.rotateKeyOnDemand({ KeyId }),
        replicate(KeyId, 'ap-south-1'),
        kms['eu-west-1'].tagResource({ KeyId, Tags }),
        primary.enableKeyRotation({ KeyId, RotationPeriodInDays: 100 }),
        encrypt('eu-west-1'),
        kms['eu-west-1'].updateKeyDescription({ KeyId, Description: 'Ireland' }),
        primary.rotateKeyOnDemand({ KeyId }),
        encrypt('us-east-1'),
      ].map(call => refusal(call as Promise<unknown>)),
    )
    expect(answers).toEqual(answers.map(() => 'no refusal'))
    const seen = everywhere.map(async region => {
      const { Rotations } = await kms[region].listKeyRotations({ KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })
      const { RotationPeriodInDays } = await kms[region].getKeyRotationStatus({ KeyId })
      for (const CiphertextBlob of blobs) await kms[region].decrypt({ CiphertextBlob })
      return [RotationPeriodInDays, ...Rotations!.map(({ KeyMaterialId }) => KeyMaterialId)]
    })
    const [first, ...others] = await Promise.all(seen)
    expect(first).toHaveLength(4)
    for (const other of others) expect(other).toEqual(first)
    expect(await metadata('eu-west-1', KeyId)).toMatchObject({ Description: 'Ireland' })
    expect((await kms['eu-west-1'].listResourceTags({ KeyId })).Tags).toEqual(Tags)
  })

  it('leave one primary key, and no replica of one that is to be deleted without them', async () => {
    const KeyId = await createPrimary()
    for (const region of ['eu-west-1', 'ap-south-1']) await replicate(KeyId, region)
    const promote = (PrimaryRegion: string) => refusal(kms['us-east-1'].updatePrimaryRegion({ KeyId, PrimaryRegion }))
    expect((await Promise.all([promote('eu-west-1'), promote('ap-south-1')])).sort()).toEqual([
      `UnsupportedOperationException: ${arnIn('us-east-1', KeyId)} is not a multi-region primary key.`,
      'no refusal',
    ])
    const types = everywhere.map(
      async region => (await metadata(region, KeyId)).MultiRegionConfiguration!.MultiRegionKeyType,
    )
    expect((await Promise.all(types)).sort()).toEqual(['PRIMARY', 'REPLICA', 'REPLICA'])

    const other = await createPrimary()
    const [, replicated] = await Promise.all([
      kms['us-east-1'].scheduleKeyDeletion({ KeyId: other }),
      refusal(replicate(other, 'eu-west-1')),
    ])
    const { KeyState } = await metadata('us-east-1', other)
    expect(KeyState).toBe(replicated === 'no refusal' ? 'PendingReplicaDeletion' : 'PendingDeletion')
  })
})

describe('the audit', () => {
  it('has the events of a multi-Region key in the regions where they belong', async () => {
    const KeyId = await createPrimary()
    await replicate(KeyId, 'eu-west-1', { Description: 'Ireland' })
    await kms['us-east-1'].updatePrimaryRegion({ KeyId, PrimaryRegion: 'eu-west-1' })
    await kms['eu-west-1'].rotateKeyOnDemand({ KeyId })
    const [here, there] = [arnIn('us-east-1', KeyId), arnIn('eu-west-1', KeyId)]
    const records = gateway.records().filter(({ resources }) => resources?.some(({ ARN }) => ARN.endsWith(KeyId)))
    const told = records.map(({ eventName, awsRegion, resources, responseElements }) => {
      return [eventName, awsRegion, resources?.map(({ ARN }) => ARN), responseElements?.keyId]
    })
    expect(told).toEqual([
      ['CreateKey', 'us-east-1', [here], here],
      ['ReplicateKey', 'us-east-1', [here], here],
      ['CreateKey', 'eu-west-1', [there], there],
      ['UpdatePrimaryRegion', 'us-east-1', [here], here],
      ['UpdatePrimaryRegion', 'eu-west-1', [there], there],
      ['RotateKeyOnDemand', 'eu-west-1', [there], there],
      ['SynchronizeMultiRegionKey', 'eu-west-1', [there], there],
    ])
    const [, call, creation] = records
    expect(creation).toMatchObject({
      requestID: call!.requestID,
      userIdentity: call!.userIdentity,
      requestParameters: {
        bypassPolicyLockoutSafetyCheck: false,
        customerMasterKeySpec: 'SYMMETRIC_DEFAULT',
        description: 'Ireland',
        keySpec: 'SYMMETRIC_DEFAULT',
        keyUsage: 'ENCRYPT_DECRYPT',
        multiRegion: true,
        origin: 'AWS_KMS',
      },
      responseElements: { keyMetadata: { arn: there, multiRegionConfiguration: { multiRegionKeyType: 'REPLICA' } } },
    })
  })
})

describe('permissions', () => {
  const denied = (action: string, resource: string, why: string) =>
    `AccessDeniedException: User: ${alice.arn} is not authorized to perform: ${action} on resource: ${resource} ${why}`
  const byIdentity = 'with an explicit deny in an identity-based policy'

  it('of ReplicateKey are those of the primary key, and of the creation of a key in the other region', async () => {
    const KeyId = await createPrimary()
    const own = gateway.client({ region: 'us-east-1', credentials: alice.credentials })
    const ask = (ReplicaRegion: string, rest: object = {}) =>
      refusal(own.replicateKey({ KeyId, ReplicaRegion, ...rest }))
    expect(await ask('eu-north-1')).toBe(denied('kms:ReplicateKey', arnIn('us-east-1', KeyId), byIdentity))
    expect(await ask('ap-south-1')).toBe(denied('kms:CreateKey', '*', byIdentity))
    const Tags = [{ TagKey: 'Secret', TagValue: 'yes' }]
    expect(await ask('eu-west-1', { Tags })).toBe(denied('kms:TagResource', '*', byIdentity))
    // The creation of a primary key there is not restricted.
    const created = gateway.client({ region: 'ap-south-1', credentials: alice.credentials })
    expect(await refusal(created.createKey({ MultiRegion: true }))).toBe('no refusal')
    const failed = gateway
      .records()
      .filter(({ errorCode, requestParameters }) => errorCode && requestParameters?.keyId === KeyId)
    expect(failed.map(({ eventName, awsRegion, errorCode }) => [eventName, awsRegion, errorCode])).toEqual(
      Array(3).fill(['ReplicateKey', 'us-east-1', 'AccessDenied']),
    )
    expect(await ask('eu-west-1', { Tags: [{ TagKey: 'Secret', TagValue: 'no' }] })).toBe('no refusal')
  })

  it('to decrypt are those of the region that decrypts', async () => {
    const KeyId = await createPrimary()
    const Statement = [
      { Effect: 'Allow', Principal: { AWS: home }, Action: 'kms:*', Resource: '*' },
      { Effect: 'Deny', Principal: '*', Action: 'kms:Decrypt', Resource: '*' },
    ]
    await replicate(KeyId, 'eu-west-1', { Policy: JSON.stringify({ Version: '2012-10-17', Statement }) })
    const { CiphertextBlob } = await kms['eu-west-1'].encrypt({ KeyId, Plaintext })
    expect(await refusal(kms['eu-west-1'].decrypt({ CiphertextBlob }))).toMatch(/^AccessDeniedException/)
    expect(Buffer.from((await kms['us-east-1'].decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Plaintext)
    expect(await refusal(kms['ap-south-1'].decrypt({ CiphertextBlob }))).toMatch(
      /^AccessDeniedException: The ciphertext refers to a customer master key that does not exist/,
    )
    await kms['us-east-1'].disableKey({ KeyId })
    expect(await refusal(kms['us-east-1'].decrypt({ CiphertextBlob }))).toMatch(/^DisabledException/)
    expect(await refusal(kms['eu-west-1'].encrypt({ KeyId, Plaintext }))).toBe('no refusal')
  })

  it('of a policy that would lock its caller out of the replica are refused', async () => {
    const KeyId = await createPrimary()
    const policy = (Action: string, region?: string) =>
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { AWS: home },
            Action,
            Resource: '*',
            ...(region && { Condition: { StringEquals: { 'aws:RequestedRegion': region } } }),
          },
        ],
      })
    const locking = [policy('kms:Decrypt'), policy('kms:*', 'us-east-1')]
    for (const Policy of locking)
      expect(await refusal(replicate(KeyId, 'eu-west-1', { Policy }))).toBe(
        'MalformedPolicyDocumentException: The new key policy will not allow you to update the key policy in the future.',
      )
    expect(await refusal(replicate(KeyId, 'eu-west-1', { Policy: policy('kms:*', 'eu-west-1') }))).toBe('no refusal')
    const BypassPolicyLockoutSafetyCheck = true
    const Policy = locking[0]!
    expect(await refusal(replicate(KeyId, 'ap-south-1', { Policy, BypassPolicyLockoutSafetyCheck }))).toBe('no refusal')
  })
})
