/** AWS managed and AWS owned keys: made for services when they are first used, and closed to everybody else. Part of services.test.ts. */
import { paginateListAliases } from '@aws-sdk/client-kms'
import { describe, expect, it } from 'vitest'
import { model, shapeNamed } from '../../src/apis/kms/model.ts'
import type { StructureShape } from '../../src/apis/service-model/model.ts'
import { operations } from '../../src/operations/kms/catalogue.ts'
import { type Credentials, type Gateway, home, type Installation } from './gateway.ts'
import type { Identity } from './identities.ts'
import { refusal } from './requests.ts'

type Answer = Readonly<Record<string, unknown>>

export interface Services {
  readonly installation: Installation
  readonly gateway: Gateway
  /** Calls as s3.amazonaws.com in the account `home`. */
  readonly service: Identity
  /** A user who may do everything, but only through the service. */
  readonly alice: Identity
  /** A user that nobody has made a service. */
  readonly volumes: Identity
  /** A user who may describe keys with the alias alias/aws/ebs. */
  readonly reader: Identity
  call(target: string, body: object, headers?: object, credentials?: Credentials): Promise<Answer>
  administer(command: string): Promise<{ readonly code: number | null; readonly stderr: string }>
}

const other = '444455556666'
const s3 = 's3.amazonaws.com'
const alias = 'alias/aws/s3'
const Plaintext = Buffer.from('text').toString('base64')
const source = (account: string) => ({ 'x-strongroom-source-account': account })
const onBehalfOf = ({ arn }: Identity) => ({ 'x-strongroom-on-behalf-of': arn })
const refused = { status: 400, __type: 'AccessDeniedException' }
const notFound = (name: string, account = home) =>
  `NotFoundException: Alias arn:aws:kms:us-east-1:${account}:${name} is not found.`

const byId = (KeyId: string) => ({ KeyId })
const Message = Plaintext
const CiphertextBlob = Plaintext
const GrantId = '0'.repeat(64)

/** A request of each operation on a key. */
const requests: Readonly<Record<string, (KeyId: string) => object>> = {
  CancelKeyDeletion: byId,
  CreateAlias: TargetKeyId => ({ AliasName: 'alias/mine', TargetKeyId }),
  CreateGrant: KeyId => ({ KeyId, GranteePrincipal: `arn:aws:iam::${home}:user/alice`, Operations: ['Decrypt'] }),
  Decrypt: KeyId => ({ KeyId, CiphertextBlob }),
  DeleteImportedKeyMaterial: byId,
  DeriveSharedSecret: KeyId => ({ KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: Plaintext }),
  DescribeKey: byId,
  DisableKey: byId,
  DisableKeyRotation: byId,
  EnableKey: byId,
  EnableKeyRotation: KeyId => ({ KeyId, RotationPeriodInDays: 2560 }),
  Encrypt: KeyId => ({ KeyId, Plaintext }),
  GenerateDataKey: KeyId => ({ KeyId, KeySpec: 'AES_256' }),
  GenerateDataKeyPair: KeyId => ({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }),
  GenerateDataKeyPairWithoutPlaintext: KeyId => ({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }),
  GenerateDataKeyWithoutPlaintext: KeyId => ({ KeyId, KeySpec: 'AES_256' }),
  GenerateMac: KeyId => ({ KeyId, Message, MacAlgorithm: 'HMAC_SHA_256' }),
  GetKeyLastUsage: byId,
  GetKeyPolicy: KeyId => ({ KeyId, PolicyName: 'default' }),
  GetKeyRotationStatus: byId,
  GetParametersForImport: KeyId => ({ KeyId, WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' }),
  GetPublicKey: byId,
  ImportKeyMaterial: KeyId => ({ KeyId, ImportToken: Plaintext, EncryptedKeyMaterial: Plaintext }),
  ListAliases: byId,
  ListGrants: byId,
  ListKeyPolicies: byId,
  ListKeyRotations: byId,
  ListResourceTags: byId,
  PutKeyPolicy: KeyId => ({ KeyId, Policy: '{}' }),
  ReEncrypt: DestinationKeyId => ({ CiphertextBlob, DestinationKeyId }),
  ReplicateKey: KeyId => ({ KeyId, ReplicaRegion: 'eu-west-1' }),
  RetireGrant: KeyId => ({ KeyId, GrantId }),
  RevokeGrant: KeyId => ({ KeyId, GrantId }),
  RotateKeyOnDemand: byId,
  ScheduleKeyDeletion: byId,
  Sign: KeyId => ({ KeyId, Message, SigningAlgorithm: 'ECDSA_SHA_256' }),
  TagResource: KeyId => ({ KeyId, Tags: [{ TagKey: 'team', TagValue: 'blue' }] }),
  UntagResource: KeyId => ({ KeyId, TagKeys: ['team'] }),
  UpdateAlias: TargetKeyId => ({ AliasName: 'alias/mine', TargetKeyId }),
  UpdateKeyDescription: KeyId => ({ KeyId, Description: 'mine' }),
  UpdatePrimaryRegion: KeyId => ({ KeyId, PrimaryRegion: 'eu-west-1' }),
  Verify: KeyId => ({ KeyId, Message, Signature: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' }),
  VerifyMac: KeyId => ({ KeyId, Message, Mac: Plaintext, MacAlgorithm: 'HMAC_SHA_256' }),
}

/** Every operation on a key, with its request. */
const onKeys = operations
  .filter(({ name }) => name !== 'CreateKey' && hasKeyId(name))
  .map(({ name, readOnly }) => ({ name, readOnly, request: requests[name]! }))

function hasKeyId(name: (typeof operations)[number]['name']): boolean {
  const { input } = model.operations[name]
  return (
    input !== null && Object.keys((shapeNamed(input) as StructureShape).members).some(member => /KeyId$/.test(member))
  )
}

/** Those that change something about a key, but for grants; UpdateAlias needs an alias that is there. */
const management = onKeys.filter(({ name, readOnly }) => !readOnly && !/Grant$|^UpdateAlias$/.test(name))

export function describeServiceKeys(services: () => Services): void {
  const administrator = (account = home) => services().gateway.client({ account })
  const keyIds = async (account = home) => (await administrator(account).listKeys()).Keys!.map(({ KeyId }) => KeyId)
  const creations = () =>
    services()
      .gateway.records()
      .filter(({ eventName, eventType }) => eventName === 'CreateKey' && eventType === 'AwsServiceEvent')

  describe('an AWS managed key', () => {
    it('is made once when its service first needs it for a caller, or for itself', async () => {
      const { call, alice } = services()
      const before = await keyIds()
      const uses = [onBehalfOf(alice), source(home), onBehalfOf(alice), source(home)].map(headers =>
        call('Encrypt', { KeyId: `arn:aws:kms:us-east-1:${home}:${alias}`, Plaintext }, headers),
      )
      for (const answer of await Promise.all(uses)) expect(answer).toMatchObject({ status: 200 })
      const [KeyId, ...more] = (await keyIds()).filter(id => !before.includes(id))
      expect(more).toEqual([])
      expect(await call('Encrypt', { KeyId: alias, Plaintext }, onBehalfOf(alice))).toMatchObject({
        status: 200,
        KeyId: `arn:aws:kms:us-east-1:${home}:key/${KeyId}`,
      })
      expect(creations()).toMatchObject([
        {
          userIdentity: { accountId: home, invokedBy: s3 },
          resources: [{ ARN: `arn:aws:kms:us-east-1:${home}:key/${KeyId}` }],
          additionalEventData: { aliasName: alias },
        },
      ])
    })

    it('shows itself to its account, in DescribeKey and listings', async () => {
      const { KeyMetadata } = await administrator().describeKey({ KeyId: alias })
      expect(KeyMetadata).toMatchObject({
        KeyManager: 'AWS',
        Description: 'Default key that protects my S3 objects when no other key is defined',
        KeySpec: 'SYMMETRIC_DEFAULT',
        Origin: 'AWS_KMS',
        Enabled: true,
      })
      const { KeyId } = KeyMetadata!
      const { Aliases } = await administrator().listAliases({ KeyId })
      expect(Aliases).toMatchObject([{ AliasName: alias, TargetKeyId: KeyId }])
      expect(await administrator().getKeyRotationStatus({ KeyId })).toMatchObject({
        KeyRotationEnabled: true,
        RotationPeriodInDays: 365,
      })
      const { Policy } = await administrator().getKeyPolicy({ KeyId, PolicyName: 'default' })
      expect(JSON.parse(Policy!)).toMatchObject({
        Id: 'auto-s3',
        Statement: [
          {
            Condition: { StringEquals: { 'kms:CallerAccount': home, 'kms:ViaService': 's3.us-east-1.amazonaws.com' } },
          },
          { Principal: { Service: s3 }, Condition: { StringEquals: { 'aws:SourceAccount': home } } },
          { Action: ['kms:Describe*', 'kms:Get*', 'kms:List*', 'kms:RevokeGrant'] },
        ],
      })
    })

    it('is used through its service only, and by the service only for resources of its account', async () => {
      const { call } = services()
      const request = { KeyId: alias, Plaintext: Buffer.from('text') }
      expect(await refusal(administrator().encrypt(request))).toMatch(
        /^AccessDeniedException: .* because no resource-based policy allows the kms:Encrypt action$/,
      )
      const KeyId = `arn:aws:kms:us-east-1:${home}:${alias}`
      expect(await call('Encrypt', { KeyId, Plaintext })).toMatchObject(refused)
      expect(await refusal(administrator(other).encrypt({ ...request, KeyId }))).toMatch(/^AccessDeniedException: /)
    })

    it('is granted through its service, as any key', async () => {
      const { call, alice } = services()
      const grant = { GranteeServicePrincipal: s3, Operations: ['Encrypt'] }
      const { KeyId } = (await administrator().describeKey({ KeyId: alias })).KeyMetadata!
      const created = await call('CreateGrant', { KeyId, ...grant }, onBehalfOf(alice))
      expect(created).toMatchObject({ status: 200 })
      const arn = `arn:aws:kms:us-east-1:${home}:key/${KeyId}`
      expect(await call('Encrypt', { KeyId: arn, Plaintext })).toMatchObject({ status: 200 })
      await administrator().revokeGrant({ KeyId, GrantId: created.GrantId as string })
      expect(await call('Encrypt', { KeyId: arn, Plaintext })).toMatchObject(refused)
    })

    it('is managed by nobody: every operation that would is refused, through the service, too', async () => {
      const { call, alice, installation } = services()
      const { KeyId } = (await administrator().describeKey({ KeyId: alias })).KeyMetadata!
      expect(management.length).toBeGreaterThan(10)
      for (const { name: operation, request: input } of management) {
        const because = `because no resource-based policy allows the kms:${operation} action`
        expect([operation, await call(operation, input(KeyId!), {}, installation.credentials[home]!)]).toEqual([
          operation,
          { ...refused, message: expect.stringContaining(because) },
        ])
        expect([operation, await call(operation, input(KeyId!), onBehalfOf(alice))]).toMatchObject([operation, refused])
      }
    })

    it('keeps its alias: names like it are of services only', async () => {
      const kms = administrator()
      const { KeyId } = (await kms.createKey()).KeyMetadata!
      for (const AliasName of [alias, 'alias/aws/anything']) {
        expect(await refusal(kms.createAlias({ AliasName, TargetKeyId: KeyId }))).toMatch(/^NotAuthorizedException/)
        expect(await refusal(kms.updateAlias({ AliasName, TargetKeyId: KeyId }))).toMatch(/^NotAuthorizedException/)
        expect(await refusal(kms.deleteAlias({ AliasName }))).toMatch(/^NotAuthorizedException/)
      }
    })

    it('is made by DescribeKey of its alias, which is listed before, for services of the operator only', async () => {
      const { administer, call, alice, volumes, reader } = services()
      const kms = administrator()
      const ebs = 'alias/aws/ebs'
      const listed = async (account = home) =>
        (await administrator(account).listAliases()).Aliases!.find(({ AliasName }) => AliasName === ebs)
      const describe = (account = home, KeyId = ebs) => administrator(account).describeKey({ KeyId })
      expect(await refusal(describe())).toBe(notFound(ebs))
      const put = `identity service put ec2.amazonaws.com --user volumes --account ${home} --acts-in ${home}`
      expect(await administer(put)).toMatchObject({ code: 0, stderr: '' })
      expect(await listed()).toEqual({ AliasName: ebs, AliasArn: `arn:aws:kms:us-east-1:${home}:${ebs}` })
      const names: unknown[] = []
      for await (const { Aliases } of paginateListAliases({ client: kms, pageSize: 1 }, {}))
        names.push(...Aliases!.map(({ AliasName }) => AliasName))
      expect(names).toEqual((await kms.listAliases()).Aliases!.map(({ AliasName }) => AliasName))
      expect(names).toEqual(expect.arrayContaining([alias, ebs]))
      expect([await listed(other), await refusal(describe(other))]).toEqual([undefined, notFound(ebs, other)])
      expect(await refusal(kms.encrypt({ KeyId: ebs, Plaintext: Buffer.from('text') }))).toBe(notFound(ebs))
      expect(await call('Encrypt', { KeyId: ebs, Plaintext }, onBehalfOf(alice))).toMatchObject({
        __type: 'NotFoundException',
      })
      // Who is not allowed to use it creates none, nor does a dry run.
      expect(await call('DescribeKey', { KeyId: ebs }, {}, alice.credentials)).toEqual({
        ...refused,
        message: expect.stringContaining(
          `kms:DescribeKey on resource: arn:aws:kms:us-east-1:${home}:${ebs} because no`,
        ),
      })
      const KeyId = `arn:aws:kms:us-east-1:${home}:${ebs}`
      expect(await call('Encrypt', { KeyId, Plaintext }, {}, volumes.credentials)).toMatchObject(refused)
      const dryRun = { KeyId: ebs, DryRun: true }
      for (const [operation, input] of [
        ['Encrypt', { ...dryRun, Plaintext }],
        ['Decrypt', { ...dryRun, DryRunModifiers: ['IGNORE_CIPHERTEXT'] }],
        ['GenerateDataKey', { ...dryRun, KeySpec: 'AES_256' }],
      ] as const)
        expect([operation, await call(operation, input, onBehalfOf(alice), volumes.credentials)]).toMatchObject([
          operation,
          { __type: 'DryRunOperationException' },
        ])
      expect(await listed()).not.toHaveProperty('TargetKeyId')
      expect(await call('DescribeKey', { KeyId: ebs }, {}, reader.credentials)).toMatchObject({ status: 200 })
      const { KeyMetadata } = await describe()
      expect(KeyMetadata).toMatchObject({
        KeyManager: 'AWS',
        Description: 'Default key that protects my EBS volumes when no other key is defined',
      })
      expect(await listed()).toMatchObject({ TargetKeyId: KeyMetadata!.KeyId, CreationDate: expect.any(Date) })
      for (const name of [alias, ebs])
        expect([
          name,
          await call('Encrypt', { KeyId: name, Plaintext }, onBehalfOf(alice), volumes.credentials),
        ]).toEqual([name, expect.objectContaining(name === ebs ? { status: 200 } : refused)])
      expect(await refusal(describe(home, 'alias/aws/constructor'))).toBe(notFound('alias/aws/constructor'))
    })
  })

  describe('an AWS owned key', () => {
    /** Made by the first test, as is the ciphertext. */
    let owned: { KeyId: string; Arn: string }
    let blob: string
    const randomId = '00000000-0000-4000-8000-000000000000'
    const missing = (arn: string) => arn.replace(owned.KeyId, randomId)

    it('is made when its service first uses its alias as itself, in the account of the service', async () => {
      const { call } = services()
      const [first, ...rest] = await Promise.all(
        [{}, source(home), {}].map(headers => call('Encrypt', { KeyId: alias, Plaintext }, headers)),
      )
      expect(rest).toMatchObject([{ KeyId: first!.KeyId }, { KeyId: first!.KeyId }])
      const { KeyMetadata } = await call('DescribeKey', { KeyId: first!.KeyId })
      expect(KeyMetadata).toMatchObject({ KeyManager: 'AWS', AWSAccountId: home, Enabled: true })
      owned = KeyMetadata as typeof owned
      blob = first!.CiphertextBlob as string
      expect(owned.KeyId).not.toBe((await administrator().describeKey({ KeyId: alias })).KeyMetadata!.KeyId)
      expect(creations().at(-1)).toMatchObject({
        userIdentity: { invokedBy: s3 },
        resources: [{ ARN: owned.Arn, accountId: home }],
      })
    })

    it('is used by its service for resources of every account in which it acts', async () => {
      const { administer, call } = services()
      const put = `identity service put ${s3} --user integrator --account ${home} --acts-in ${home}`
      const headers = source(other)
      expect(await call('Decrypt', { CiphertextBlob: blob }, headers)).toMatchObject(refused)
      expect(await administer(`${put} --acts-in ${other}`)).toMatchObject({ code: 0 })
      for (const key of [{}, { KeyId: alias }, { KeyId: owned.Arn }])
        expect(await call('Decrypt', { CiphertextBlob: blob, ...key }, headers)).toMatchObject({
          status: 200,
          Plaintext,
          KeyId: owned.Arn,
        })
      expect(await administer(put)).toMatchObject({ code: 0 })
    })

    it('does not exist for anybody else: every operation answers as for a key that does not', async () => {
      const { call, installation, alice, volumes } = services()
      const callers = [
        [{}, installation.credentials[home]!],
        [{}, installation.credentials[other]!],
        [onBehalfOf(alice), undefined],
        [{}, volumes.credentials],
      ] as const
      for (const { name, request } of onKeys)
        for (const [headers, by] of callers) {
          const ask = (arn: string) => call(name, request(arn), headers, by)
          const [answer, expected] = await Promise.all([ask(owned.Arn), ask(missing(owned.Arn))])
          expect([name, expected.status]).toEqual([name, 400])
          expect([name, JSON.parse(JSON.stringify(answer).replaceAll(owned.KeyId, randomId))]).toEqual([name, expected])
        }
      for (const [headers, by] of callers)
        expect(await call('Decrypt', { CiphertextBlob: blob }, headers, by)).toEqual({
          ...refused,
          message: expect.stringContaining('The ciphertext refers to a customer master key that does not exist'),
        })
    })

    it('is in no listing, and on record for no account but that of its service', async () => {
      for (const account of [home, other]) {
        expect(await keyIds(account)).not.toContain(owned.KeyId)
        const { Aliases } = await administrator(account).listAliases()
        expect(Aliases!.map(({ TargetKeyId }) => TargetKeyId)).not.toContain(owned.KeyId)
      }
      const uses = services()
        .gateway.records()
        .filter(({ resources, eventType }) => eventType === 'AwsApiCall' && resources?.[0]?.ARN === owned.Arn)
      expect(uses.length).toBeGreaterThan(0)
      for (const { recipientAccountId, userIdentity, errorCode } of uses)
        if (errorCode === undefined)
          expect([recipientAccountId, userIdentity]).toMatchObject([undefined, { type: 'AWSService', invokedBy: s3 }])
    })

    it('is only used by its service, which does not manage it either', async () => {
      const { call } = services()
      const uses = /^(De|En|ReEn)crypt$|^GenerateDataKey|^DescribeKey$/
      for (const { name, request } of onKeys.filter(
        ({ name }) => !uses.test(name) && !/Alias|^RetireGrant$/.test(name),
      ))
        expect([name, await call(name, request(owned.Arn))]).toMatchObject([name, refused])
    })

    it('has no name for another service', async () => {
      const { call, volumes } = services()
      for (const KeyId of [alias, 'alias/aws/sqs', owned.KeyId])
        expect(await call('Encrypt', { KeyId, Plaintext }, {}, volumes.credentials)).toMatchObject({
          __type: 'NotFoundException',
        })
    })
  })

  it('the keys of a service outlast it', async () => {
    const KeyId = 'alias/aws/ebs'
    const { administer } = services()
    const before = await administrator().describeKey({ KeyId })
    expect(await administer('identity service delete ec2.amazonaws.com')).toMatchObject({ code: 0 })
    expect(await administer(`identity account delete ${home}`)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/account 111122223333 has a key of \w+.amazonaws.com, which cannot be deleted/),
    })
    expect((await administrator().describeKey({ KeyId })).KeyMetadata).toEqual(before.KeyMetadata)
  })
}
