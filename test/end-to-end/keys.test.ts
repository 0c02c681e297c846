import { randomUUID } from 'node:crypto'
import type { CreateKeyCommandInput, KeyMetadata, KMS, KMSServiceException, Tag } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { call, refusal, send, signedPost } from './requests.ts'

/** What is done to keys, not with them: through an unmodified SDK, on a real token. */

let installation: Installation
let gateway: Gateway
let kms: KMS
/** A key in another region. */
let elsewhere: Created

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  kms = gateway.client()
  elsewhere = (await gateway.client({ region: 'eu-west-1' }).createKey({})).KeyMetadata as Created
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

type State = 'Enabled' | 'Disabled' | 'PendingDeletion'

interface Created {
  readonly KeyId: string
  readonly Arn: string
  readonly Description: string
}

async function createKey(input: CreateKeyCommandInput = {}, state: State = 'Enabled'): Promise<Created> {
  const created = (await kms.createKey(input)).KeyMetadata as Created
  if (state === 'Disabled') await kms.disableKey(created)
  if (state === 'PendingDeletion') await kms.scheduleKeyDeletion(created)
  return created
}

const aliasArn = (name: string) => `arn:aws:kms:us-east-1:${home}:${name}`
const newName = () => `alias/${randomUUID()}`

async function createAlias(TargetKeyId: string): Promise<string> {
  const AliasName = newName()
  await kms.createAlias({ AliasName, TargetKeyId })
  return AliasName
}

/** Of an account without principals here, so that they need not exist. */
const someone = `arn:aws:iam::999988887777:user/someone`
const policyFor = (principal: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: principal }, Action: 'kms:*', Resource: '*' }],
  })
const ownPolicy = policyFor(`arn:aws:iam::${home}:root`)

describe('a new key', () => {
  it('has AWS’s default metadata', async () => {
    const { KeyMetadata } = await call(kms, 'CreateKey', {})
    const metadata = KeyMetadata as KeyMetadata
    expect(metadata).toEqual({
      AWSAccountId: home,
      Arn: `arn:aws:kms:us-east-1:${home}:key/${metadata.KeyId}`,
      CreationDate: expect.any(Date),
      CurrentKeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      Description: '',
      Enabled: true,
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      KeyId: expect.stringMatching(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/),
      KeyManager: 'CUSTOMER',
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyState: 'Enabled',
      KeyUsage: 'ENCRYPT_DECRYPT',
      MultiRegion: false,
      Origin: 'AWS_KMS',
    })
    expect(await call(kms, 'DescribeKey', { KeyId: metadata.KeyId })).toEqual({ KeyMetadata })
  })

  it('has the requested properties', async () => {
    const Tags = [
      { TagKey: 'b', TagValue: '2' },
      { TagKey: 'a', TagValue: '' },
    ]
    const { KeyId, Description } = await createKey({
      Description: 'für alles ∞',
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyUsage: 'ENCRYPT_DECRYPT',
      Origin: 'AWS_KMS',
      MultiRegion: false,
      Policy: ownPolicy,
      Tags,
    })
    expect(Description).toBe('für alles ∞')
    expect((await kms.listResourceTags({ KeyId })).Tags).toEqual(Tags)
    expect(JSON.parse((await kms.getKeyPolicy({ KeyId })).Policy!)).toEqual(JSON.parse(ownPolicy))
  })

  it.each<[string, CreateKeyCommandInput, string]>([
    [
      'two specs',
      { KeySpec: 'SYMMETRIC_DEFAULT', CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT' },
      'ValidationException: You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
    ],
    [
      'a spec that needs a usage, without one',
      { KeySpec: 'HMAC_256' },
      'ValidationException: You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.',
    ],
    [
      'a usage that the spec does not have',
      { KeyUsage: 'SIGN_VERIFY' },
      'ValidationException: KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT',
    ],
    [
      'the origin of a custom key store',
      { Origin: 'AWS_CLOUDHSM' },
      'ValidationException: CustomKeyStoreId is required when Origin is AWS_CLOUDHSM.',
    ],
    [
      'a spec whose material cannot be imported',
      { Origin: 'EXTERNAL', KeySpec: 'ML_DSA_44', KeyUsage: 'SIGN_VERIFY' },
      'UnsupportedOperationException: Key material of key spec ML_DSA_44 cannot be imported.',
    ],
    [
      'a spec whose keys no HSM can be asked to use',
      { KeySpec: 'ML_KEM_768', KeyUsage: 'ENCAPSULATE_DECAPSULATE' },
      'UnsupportedOperationException: Key usage ENCAPSULATE_DECAPSULATE of key spec ML_KEM_768 is not supported: pkcs11js has no C_EncapsulateKey and C_DecapsulateKey (PKCS#11 v3.2).',
    ],
    [
      'a tag twice',
      { Tags: ['1', '2'].map(TagValue => ({ TagKey: 'a', TagValue })) },
      'TagException: Duplicate tag keys',
    ],
    [
      'a policy that is no JSON',
      { Policy: 'no' },
      'MalformedPolicyDocumentException: This policy contains invalid Json',
    ],
    [
      'a policy that locks its caller out',
      { Policy: policyFor(someone) },
      'MalformedPolicyDocumentException: The new key policy will not allow you to update the key policy in the future.',
    ],
    [
      'wrong values, all named together',
      { KeyUsage: 'FLY' as never, Description: 'x'.repeat(8193) },
      `ValidationException: 2 validation errors detected: Value '${'x'.repeat(8193)}' at 'description' failed to satisfy constraint: Member must have length less than or equal to 8192; Value 'FLY' at 'keyUsage' failed to satisfy constraint: Member must satisfy enum value set: [ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT, ENCAPSULATE_DECAPSULATE]`,
    ],
  ])('is refused with %s', async (_, input, expected) => {
    const before = await kms.listKeys({ Limit: 1000 })
    expect(await refusal(kms.createKey(input))).toBe(expected)
    expect((await kms.listKeys({ Limit: 1000 })).Keys).toHaveLength(before.Keys!.length)
  })

  it('may lock its caller out when the check is bypassed', async () => {
    const { KeyId, Arn } = await createKey({ Policy: policyFor(someone), BypassPolicyLockoutSafetyCheck: true })
    expect(await refusal(kms.describeKey({ KeyId }))).toBe(
      `AccessDeniedException: User: arn:aws:iam::${home}:user/administrator is not authorized to perform: kms:DescribeKey on resource: ${Arn} because no resource-based policy allows the kms:DescribeKey action`,
    )
  })
})

/** Operations on one key: what they are called with besides the key, and whether an alias may name it. */
const onKeys: readonly [operation: OperationName, rest: object, byAlias: boolean, empty?: boolean][] = [
  ['DescribeKey', {}, true],
  ['Encrypt', { Plaintext: Buffer.from('text') }, true],
  ['GenerateDataKey', { KeySpec: 'AES_256' }, true],
  ['GenerateDataKeyWithoutPlaintext', { NumberOfBytes: 16 }, true],
  ['GenerateDataKeyPair', { KeyPairSpec: 'ECC_NIST_P256' }, true],
  ['GenerateDataKeyPairWithoutPlaintext', { KeyPairSpec: 'ECC_NIST_P256' }, true],
  ['UpdateKeyDescription', { Description: 'new' }, false, true],
  ['EnableKey', {}, false, true],
  ['DisableKey', {}, false, true],
  ['TagResource', { Tags: [{ TagKey: 'a', TagValue: 'b' }] }, false, true],
  ['UntagResource', { TagKeys: ['a'] }, false, true],
  ['ListResourceTags', {}, false],
  ['GetKeyPolicy', {}, false],
  ['ListKeyPolicies', {}, false],
  ['PutKeyPolicy', { Policy: ownPolicy }, false, true],
  ['ListAliases', {}, false],
  ['EnableKeyRotation', { RotationPeriodInDays: 90 }, false, true],
  ['DisableKeyRotation', {}, false, true],
  ['RotateKeyOnDemand', {}, false],
  ['GetKeyRotationStatus', {}, false],
  ['ListKeyRotations', {}, false],
  ['ListGrants', {}, false],
  ['ScheduleKeyDeletion', { PendingWindowInDays: 7 }, false],
]

describe.each(onKeys)('%s', (operation, rest, byAlias) => {
  const ask = (KeyId: string) => refusal(call(kms, operation, { KeyId, ...rest }))

  it('takes an id and an ARN', async () => {
    const [one, other] = [await createKey(), await createKey()]
    expect(await ask(one.KeyId)).toBe('no refusal')
    expect(await ask(other.Arn)).toBe('no refusal')
  })

  it(byAlias ? 'takes an alias and its ARN' : 'takes no alias', async () => {
    const name = await createAlias((await createKey()).KeyId)
    const expected = byAlias ? 'no refusal' : 'InvalidArnException: Key Aliases are not supported for this operation.'
    expect(await ask(name)).toBe(expected)
    expect(await ask(aliasArn(name))).toBe(expected)
  })

  it('refuses invalid identifiers', async () => {
    const id = '1234abcd-12ab-34cd-56ef-1234567890ab'
    const arn = (region: string, id: string) => `arn:aws:kms:${region}:${home}:key/${id}`
    const table: [string, string][] = [
      [id, `NotFoundException: Key '${arn('us-east-1', id)}' does not exist`],
      [arn('us-east-1', id), `NotFoundException: Key '${arn('us-east-1', id)}' does not exist`],
      ['no-key', "NotFoundException: Invalid keyId 'no-key'"],
      [id.replaceAll('-', ''), `NotFoundException: Invalid keyId '${id.replaceAll('-', '')}'`],
      ['mrk-junk', "NotFoundException: Invalid keyId 'mrk-junk'"],
      [arn('us-east-1', 'no-key'), 'NotFoundException: Invalid keyId no-key'],
      [elsewhere.Arn, 'NotFoundException: Invalid arn eu-west-1'],
      [elsewhere.KeyId, `NotFoundException: Key '${arn('us-east-1', elsewhere.KeyId)}' does not exist`],
    ]
    const outcomes = await Promise.all(table.map(([identifier]) => ask(identifier)))
    expect(outcomes).toEqual(table.map(([, expected]) => expected))
    expect(await ask('arn:aws:s3:::bucket')).toMatch(/^InvalidArnException: /)
    if (byAlias) {
      expect(await ask('alias/none')).toBe(`NotFoundException: Alias ${aliasArn('alias/none')} is not found.`)
    }
  })
})

describe('the answer without a body', () => {
  const post = (target: string, body: object) =>
    signedPost({ url: gateway.url, credentials: installation.credentials[home]!, target, body })

  it.each(onKeys.filter(([, , , empty]) => empty))('is that of %s', async (operation, rest) => {
    const { KeyId } = await createKey()
    expect(await post(operation, { KeyId, ...rest })).toMatchObject({ status: 200, body: '' })
  })

  it.each(['CreateAlias', 'UpdateAlias', 'DeleteAlias'] as const)('is that of %s', async operation => {
    const { KeyId: TargetKeyId } = await createKey()
    const AliasName = operation === 'CreateAlias' ? newName() : await createAlias(TargetKeyId)
    const body = { AliasName, ...(operation !== 'DeleteAlias' && { TargetKeyId }) }
    expect(await post(operation, body)).toMatchObject({ status: 200, body: '' })
  })
})

describe('the state of a key', () => {
  const ok = () => 'no refusal'
  const disabled = (arn: string) => `DisabledException: ${arn} is disabled.`
  const pending = (arn: string) => `KMSInvalidStateException: ${arn} is pending deletion.`
  const notPending = (arn: string) => `KMSInvalidStateException: ${arn} is not pending deletion.`

  type Ask = (key: Created) => Promise<unknown>
  const crypto: readonly [string, Ask][] = [
    ['Encrypt', ({ KeyId }) => kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })],
    ['GenerateDataKey', ({ KeyId }) => kms.generateDataKey({ KeyId, NumberOfBytes: 1 })],
    [
      'GenerateDataKeyWithoutPlaintext',
      ({ KeyId }) => kms.generateDataKeyWithoutPlaintext({ KeyId, KeySpec: 'AES_128' }),
    ],
  ]
  const rotate: readonly [string, Ask][] = [
    ['EnableKeyRotation', ({ KeyId }) => kms.enableKeyRotation({ KeyId })],
    ['DisableKeyRotation', ({ KeyId }) => kms.disableKeyRotation({ KeyId })],
    ['RotateKeyOnDemand', ({ KeyId }) => kms.rotateKeyOnDemand({ KeyId })],
  ]
  const modify: readonly [string, Ask][] = [
    ['TagResource', ({ KeyId }) => kms.tagResource({ KeyId, Tags: [{ TagKey: 'a', TagValue: 'b' }] })],
    ['UntagResource', ({ KeyId }) => kms.untagResource({ KeyId, TagKeys: ['a'] })],
    ['UpdateKeyDescription', ({ KeyId }) => kms.updateKeyDescription({ KeyId, Description: 'new' })],
    ['CreateAlias', ({ KeyId }) => kms.createAlias({ AliasName: newName(), TargetKeyId: KeyId })],
    [
      'UpdateAlias',
      async ({ KeyId }) =>
        kms.updateAlias({ AliasName: await createAlias((await createKey()).KeyId), TargetKeyId: KeyId }),
    ],
    ['EnableKey', ({ KeyId }) => kms.enableKey({ KeyId })],
    ['DisableKey', ({ KeyId }) => kms.disableKey({ KeyId })],
    ['ScheduleKeyDeletion', ({ KeyId }) => kms.scheduleKeyDeletion({ KeyId })],
  ]
  const view: readonly [string, Ask][] = [
    ['DescribeKey', ({ KeyId }) => kms.describeKey({ KeyId })],
    ['GetKeyPolicy', ({ KeyId }) => kms.getKeyPolicy({ KeyId })],
    ['PutKeyPolicy', ({ KeyId }) => kms.putKeyPolicy({ KeyId, Policy: ownPolicy })],
    ['ListKeyPolicies', ({ KeyId }) => kms.listKeyPolicies({ KeyId })],
    ['ListResourceTags', ({ KeyId }) => kms.listResourceTags({ KeyId })],
    ['ListAliases', ({ KeyId }) => kms.listAliases({ KeyId })],
    ['GetKeyRotationStatus', ({ KeyId }) => kms.getKeyRotationStatus({ KeyId })],
    ['ListKeyRotations', ({ KeyId }) => kms.listKeyRotations({ KeyId })],
    ['ListGrants', ({ KeyId }) => kms.listGrants({ KeyId })],
  ]
  const rows: readonly (readonly [string, Ask, readonly ((arn: string) => string)[]])[] = [
    ...crypto.map(([name, ask]) => [name, ask, [ok, disabled, pending]] as const),
    ...rotate.map(([name, ask]) => [name, ask, [ok, disabled, pending]] as const),
    ...modify.map(([name, ask]) => [name, ask, [ok, ok, pending]] as const),
    ...view.map(([name, ask]) => [name, ask, [ok, ok, ok]] as const),
    ['CancelKeyDeletion', ({ KeyId }) => kms.cancelKeyDeletion({ KeyId }), [notPending, notPending, ok]],
  ]

  it.each(rows)('determines whether %s is allowed', async (_, ask, verdicts) => {
    const states = ['Enabled', 'Disabled', 'PendingDeletion'] as const
    const keys = await Promise.all(states.map(state => createKey({}, state)))
    const outcomes = await Promise.all(keys.map(key => refusal(ask(key))))
    expect(outcomes).toEqual(keys.map(({ Arn }, index) => verdicts[index]!(Arn)))
  })

  it('determines whether Decrypt and ReEncrypt are allowed', async () => {
    const good = await createKey()
    for (const state of ['Disabled', 'PendingDeletion'] as const) {
      const { KeyId, Arn } = await createKey()
      const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
      const other = await kms.encrypt({ KeyId: good.KeyId, Plaintext: Buffer.from('text') })
      if (state === 'Disabled') await kms.disableKey({ KeyId })
      else await kms.scheduleKeyDeletion({ KeyId })
      const expected = (state === 'Disabled' ? disabled : pending)(Arn)
      const calls = [
        kms.decrypt({ CiphertextBlob }),
        kms.decrypt({ CiphertextBlob, KeyId }),
        kms.reEncrypt({ CiphertextBlob, DestinationKeyId: good.KeyId }),
        kms.reEncrypt({ CiphertextBlob: other.CiphertextBlob, DestinationKeyId: KeyId }),
      ]
      for (const one of calls) expect(await refusal(one)).toBe(expected)
    }
  })

  it('is told to the operator when it refuses a use, and to no one else', async () => {
    const counted = async (state: string) => {
      const { body } = await send(`${gateway.metricsUrl}/metrics`, {})
      return Number(body.match(new RegExp(`^strongroom_refused_key_uses_total\\{state="${state}"\\} (\\d+)$`, 'm'))![1])
    }
    const Plaintext = Buffer.from('text')
    const [{ KeyId, Arn }, other] = [await createKey(), await createKey()]
    const [own, foreign] = [
      await kms.encrypt({ KeyId, Plaintext }),
      await kms.encrypt({ KeyId: other.KeyId, Plaintext }),
    ]
    const deny = { Effect: 'Deny', Principal: '*', Action: 'kms:GenerateDataKey', Resource: '*' }
    const allow = { Effect: 'Allow', Principal: { AWS: home }, Action: 'kms:*', Resource: '*' }
    await kms.putKeyPolicy({ KeyId, Policy: JSON.stringify({ Version: '2012-10-17', Statement: [allow, deny] }) })
    for (const [state, label, change] of [
      ['Disabled', 'disabled', () => kms.disableKey({ KeyId })],
      ['PendingDeletion', 'pending_deletion', () => kms.scheduleKeyDeletion({ KeyId })],
    ] as const) {
      await change()
      const before = await counted(label)
      const uses = {
        Encrypt: () => kms.encrypt({ KeyId, Plaintext }),
        Decrypt: () => kms.decrypt({ CiphertextBlob: own.CiphertextBlob }),
        ReEncrypt: () => kms.reEncrypt({ CiphertextBlob: foreign.CiphertextBlob, DestinationKeyId: KeyId }),
      }
      for (const [operation, use] of Object.entries(uses)) {
        const { $metadata } = await use().then(
          () => expect.unreachable(),
          (error: KMSServiceException) => error,
        )
        const { requestId } = $metadata
        const told = await gateway.logged(line => line.event === 'key_use_refused' && line.requestId === requestId)
        expect(told).toMatchObject({ operation, key: Arn, state, principal: `arn:aws:iam::${home}:user/administrator` })
        const record = gateway.records().find(({ requestID }) => requestID === requestId)
        expect(record).toMatchObject({ errorCode: expect.any(String), errorMessage: expect.stringContaining(Arn) })
      }
      // No use, or refused by a policy, or the caller's mistake.
      const others = [
        kms.createGrant({ KeyId, GranteePrincipal: `arn:aws:iam::${home}:root`, Operations: ['Encrypt'] }),
        kms.rotateKeyOnDemand({ KeyId }),
        kms.generateDataKey({ KeyId, KeySpec: 'AES_256' }),
        kms.sign({ KeyId, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' }),
      ]
      for (const one of others) expect(await refusal(one)).not.toBe('no refusal')
      expect(await counted(label)).toBe(before + 3)
    }
  })

  it('allows moving and deleting an alias of a key that is pending deletion', async () => {
    const { KeyId } = await createKey()
    const [moved, deleted] = [await createAlias(KeyId), await createAlias(KeyId)]
    await kms.scheduleKeyDeletion({ KeyId })
    const next = await createKey()
    await kms.updateAlias({ AliasName: moved, TargetKeyId: next.KeyId })
    await kms.deleteAlias({ AliasName: deleted })
    expect((await kms.listAliases({ KeyId })).Aliases).toEqual([])
    expect((await kms.describeKey({ KeyId: moved })).KeyMetadata!.KeyId).toBe(next.KeyId)
  })

  it('changes between enabled and disabled, as often as asked', async () => {
    const { KeyId } = await createKey()
    for (const [change, state] of [
      ['DisableKey', 'Disabled'],
      ['DisableKey', 'Disabled'],
      ['EnableKey', 'Enabled'],
      ['EnableKey', 'Enabled'],
    ] as const) {
      await call(kms, change, { KeyId })
      const { KeyState, Enabled } = (await kms.describeKey({ KeyId })).KeyMetadata!
      expect({ KeyState, Enabled }).toEqual({ KeyState: state, Enabled: state === 'Enabled' })
    }
  })
})

describe('the deletion of a key', () => {
  const day = 24 * 60 * 60 * 1000

  it.each([
    [undefined, 30],
    [7, 7],
    [30, 30],
  ])('asked for in %s days comes in %s', async (PendingWindowInDays, days) => {
    const { KeyId, Arn } = await createKey()
    const before = Date.now()
    const answer = await call(kms, 'ScheduleKeyDeletion', { KeyId, PendingWindowInDays })
    expect(answer).toEqual({
      KeyId: Arn,
      KeyState: 'PendingDeletion',
      PendingWindowInDays: days,
      DeletionDate: expect.any(Date),
    })
    const date = answer.DeletionDate as Date
    expect(date.getTime()).toBeGreaterThanOrEqual(before + days * day)
    expect(date.getTime()).toBeLessThanOrEqual(Date.now() + days * day)
    const { KeyMetadata } = await kms.describeKey({ KeyId })
    expect(KeyMetadata).toMatchObject({ KeyState: 'PendingDeletion', Enabled: false, DeletionDate: date })
  })

  it.each([
    [0, 'greater than or equal to 1'],
    [6, 'greater than or equal to 7'],
    [31, 'less than or equal to 30'],
    [366, 'less than or equal to 365'],
  ])('cannot be asked for in %s days', async (PendingWindowInDays, bound) => {
    const { KeyId } = await createKey()
    expect(await refusal(kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays }))).toBe(
      `ValidationException: 1 validation error detected: Value '${PendingWindowInDays}' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value ${bound}`,
    )
  })

  it('of a key without its imported material can be scheduled and cancelled, and leaves it pending import', async () => {
    const { KeyId, Arn } = await createKey({ Origin: 'EXTERNAL' })
    const state = async () => (await kms.describeKey({ KeyId })).KeyMetadata!.KeyState
    expect(await refusal(kms.cancelKeyDeletion({ KeyId }))).toBe(
      `KMSInvalidStateException: ${Arn} is not pending deletion.`,
    )
    await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 })
    expect(await state()).toBe('PendingDeletion')
    const pending = `KMSInvalidStateException: ${Arn} is pending deletion.`
    const way = { WrappingAlgorithm: 'RSAES_OAEP_SHA_1', WrappingKeySpec: 'RSA_2048' } as const
    expect(await refusal(kms.scheduleKeyDeletion({ KeyId }))).toBe(pending)
    expect(await refusal(kms.encrypt({ KeyId, Plaintext: Buffer.from('text') }))).toBe(pending)
    expect(await refusal(kms.getParametersForImport({ KeyId, ...way }))).toBe(pending)
    await kms.deleteImportedKeyMaterial({ KeyId })
    expect(await state()).toBe('PendingDeletion')
    await kms.cancelKeyDeletion({ KeyId })
    expect(await state()).toBe('PendingImport')
    expect(await refusal(kms.cancelKeyDeletion({ KeyId }))).toBe(
      `KMSInvalidStateException: ${Arn} is not pending deletion.`,
    )
  })

  it('suspends automatic rotation until it is cancelled', async () => {
    const { KeyId } = await createKey()
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 })
    const before = await call(kms, 'GetKeyRotationStatus', { KeyId })
    expect(before).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 90 })
    await kms.scheduleKeyDeletion({ KeyId })
    expect(await kms.getKeyRotationStatus({ KeyId })).toMatchObject({ KeyRotationEnabled: false })
    await kms.cancelKeyDeletion({ KeyId })
    expect(await call(kms, 'GetKeyRotationStatus', { KeyId })).toEqual(before)
  })

  it('that is cancelled leaves the key disabled, otherwise unchanged', async () => {
    const { KeyId, Arn } = await createKey({ Description: 'kept' })
    const alias = await createAlias(KeyId)
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
    await kms.scheduleKeyDeletion({ KeyId })
    expect(await call(kms, 'CancelKeyDeletion', { KeyId })).toEqual({ KeyId: Arn })
    const { KeyMetadata } = await kms.describeKey({ KeyId: alias })
    expect(KeyMetadata).toMatchObject({ Description: 'kept', KeyState: 'Disabled', Enabled: false })
    expect(KeyMetadata).not.toHaveProperty('DeletionDate')
    await kms.enableKey({ KeyId })
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!).toString()).toBe('text')
  })
})

describe('an alias', () => {
  it('is listed with its key, and follows an update', async () => {
    const [one, other] = [await createKey(), await createKey()]
    const AliasName = await createAlias(one.Arn)
    const { Aliases } = await kms.listAliases({ KeyId: one.KeyId })
    expect(Aliases).toEqual([
      {
        AliasName,
        AliasArn: aliasArn(AliasName),
        TargetKeyId: one.KeyId,
        CreationDate: expect.any(Date),
        LastUpdatedDate: expect.any(Date),
      },
    ])
    await kms.updateAlias({ AliasName, TargetKeyId: other.KeyId })
    const [moved] = (await kms.listAliases({ KeyId: other.Arn })).Aliases!
    expect(moved).toMatchObject({ TargetKeyId: other.KeyId, CreationDate: Aliases![0]!.CreationDate })
    expect((await kms.listAliases({ KeyId: one.KeyId })).Aliases).toEqual([])
    await kms.deleteAlias({ AliasName })
    expect((await kms.listAliases({ KeyId: other.KeyId })).Aliases).toEqual([])
  })

  it('is unique, and case matters', async () => {
    const { KeyId: TargetKeyId } = await createKey()
    const AliasName = `${newName()}/Wide-Name_1`
    await kms.createAlias({ AliasName, TargetKeyId })
    expect(await refusal(kms.createAlias({ AliasName, TargetKeyId }))).toBe(
      `AlreadyExistsException: An alias with the name ${aliasArn(AliasName)} already exists`,
    )
    await kms.createAlias({ AliasName: AliasName.toLowerCase(), TargetKeyId })
    expect((await kms.listAliases({ KeyId: TargetKeyId })).Aliases).toHaveLength(2)
  })

  it('is given to one of many concurrent requests', async () => {
    const { KeyId: TargetKeyId } = await createKey()
    const AliasName = newName()
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => refusal(kms.createAlias({ AliasName, TargetKeyId }))),
    )
    expect(outcomes.filter(outcome => outcome === 'no refusal')).toHaveLength(1)
    expect(outcomes.filter(outcome => outcome.startsWith('AlreadyExistsException'))).toHaveLength(19)
  })

  const prefix =
    'ValidationException: Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html'
  it.each<[string, string]>([
    ['name', prefix],
    ['Alias/name', prefix],
    ['alias/aws/name', 'NotAuthorizedException'],
    ['alias/', 'InvalidAliasNameException'],
    ['alias/a:b', 'ValidationException: alias/a:b contains invalid characters for an alias'],
    [
      'alias/ä',
      "ValidationException: 1 validation error detected: Value 'alias/ä' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
    ],
  ])('may not be called %s', async (AliasName, expected) => {
    const { KeyId: TargetKeyId } = await createKey()
    expect(await refusal(kms.createAlias({ AliasName, TargetKeyId }))).toBe(expected)
    expect(await refusal(kms.updateAlias({ AliasName, TargetKeyId }))).toBe(expected)
    expect(await refusal(kms.deleteAlias({ AliasName }))).toBe(expected)
  })

  it('refers to a key that exists, and not to an alias', async () => {
    const AliasName = await createAlias((await createKey()).KeyId)
    const missing = '1234abcd-12ab-34cd-56ef-1234567890ab'
    const table: [string, string][] = [
      [AliasName, 'ValidationException: Aliases must refer to keys. Not aliases'],
      [aliasArn(AliasName), 'ValidationException: Aliases must refer to keys. Not aliases'],
      [missing, `NotFoundException: Key 'arn:aws:kms:us-east-1:${home}:key/${missing}' does not exist`],
    ]
    for (const [TargetKeyId, expected] of table) {
      expect(await refusal(kms.createAlias({ AliasName: newName(), TargetKeyId }))).toBe(expected)
      expect(await refusal(kms.updateAlias({ AliasName, TargetKeyId }))).toBe(expected)
    }
  })

  it('must exist to be changed or deleted', async () => {
    const AliasName = newName()
    const expected = `NotFoundException: Alias ${aliasArn(AliasName)} is not found.`
    const { KeyId: TargetKeyId } = await createKey()
    expect(await refusal(kms.updateAlias({ AliasName, TargetKeyId }))).toBe(expected)
    expect(await refusal(kms.deleteAlias({ AliasName }))).toBe(expected)
  })

  it('is one of at most 50 of a key, wherever it pointed before', async () => {
    const { KeyId: TargetKeyId } = await createKey()
    const create = () => refusal(kms.createAlias({ AliasName: newName(), TargetKeyId }))
    await Promise.all(Array.from({ length: 50 }, create))
    const exceeded =
      'LimitExceededException: Aliases per key quota for this account in this region is 50, current usage is 50.'
    expect(await create()).toBe(exceeded)
    const AliasName = await createAlias((await createKey()).KeyId)
    expect(await refusal(kms.updateAlias({ AliasName, TargetKeyId }))).toBe(exceeded)
    const { Aliases } = await kms.listAliases({ KeyId: TargetKeyId, Limit: 100 })
    expect(Aliases).toHaveLength(50)
    await kms.updateAlias({ AliasName: Aliases![0]!.AliasName!, TargetKeyId })
  })

  it.each(['CreateAlias', 'UpdateAlias'] as const)(
    'is one of at most 50 of a key when more are asked for at once by %s',
    async operation => {
      const [{ KeyId: TargetKeyId }, other] = [await createKey(), await createKey()]
      const asked = Array.from({ length: 60 }, newName)
      const [here, elsewhere] = [asked.slice(0, 45), asked.slice(45)]
      await Promise.all(here.map(AliasName => kms.createAlias({ AliasName, TargetKeyId })))
      if (operation === 'UpdateAlias')
        await Promise.all(elsewhere.map(AliasName => kms.createAlias({ AliasName, TargetKeyId: other.KeyId })))
      const outcomes = await Promise.all(
        elsewhere.map(AliasName => refusal(call(kms, operation, { AliasName, TargetKeyId }))),
      )
      expect(outcomes.filter(outcome => outcome === 'no refusal')).toHaveLength(5)
      expect(outcomes.filter(outcome => outcome.startsWith('LimitExceededException'))).toHaveLength(10)
      expect((await kms.listAliases({ KeyId: TargetKeyId, Limit: 100 })).Aliases).toHaveLength(50)
    },
  )
})

describe('tags', () => {
  const tag = (TagKey: string, TagValue: string): Tag => ({ TagKey, TagValue })
  const tagsOf = async (KeyId: string) =>
    (await kms.listResourceTags({ KeyId })).Tags!.map(({ TagKey, TagValue }) => `${TagKey}=${TagValue}`)

  it('are changed in place, added at the end, and removed by name', async () => {
    const { KeyId } = await createKey({ Tags: [tag('b', '1'), tag('a', '1')] })
    await kms.tagResource({ KeyId, Tags: [tag('c', '1'), tag('b', '2')] })
    expect(await tagsOf(KeyId)).toEqual(['b=2', 'a=1', 'c=1'])
    await kms.untagResource({ KeyId, TagKeys: ['a', 'none'] })
    expect(await tagsOf(KeyId)).toEqual(['b=2', 'c=1'])
  })

  it('are all kept when many are added concurrently', async () => {
    const { KeyId } = await createKey()
    const names = Array.from({ length: 40 }, (_, i) => `tag${i}`)
    await Promise.all(names.map(name => kms.tagResource({ KeyId, Tags: [tag(name, '')] })))
    expect((await tagsOf(KeyId)).sort()).toEqual(names.map(name => `${name}=`).sort())
  })

  it.each<[string, Tag[], string]>([
    ['twice the same', [tag('a', '1'), tag('a', '2')], 'TagException: Duplicate tag keys'],
    ['one of AWS', [tag('AwS:x', '1')], 'TagException: Tags beginning with aws: are reserved'],
    [
      'key material',
      [tag('_custom_key_material_', 'AAAA')],
      'TagException: The tag _custom_key_material_ is for key material, which is accepted in emulator mode only.',
    ],
    ['the 51st', Array.from({ length: 51 }, (_, i) => tag(`t${i}`, '')), 'TagException: Too many tags'],
    [
      'an empty key',
      [tag('', '1')],
      "ValidationException: 1 validation error detected: Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    [
      'long key material, which is not shown',
      [tag('_custom_key_material_', 'A'.repeat(4097))],
      "ValidationException: 1 validation error detected: Value at 'tags.1.member.tagValue' failed to satisfy constraint: Member must have length less than or equal to 4096",
    ],
    [
      'a long value',
      [tag('ok', '1'), tag('a', 'v'.repeat(257))],
      `ValidationException: 1 validation error detected: Value '${'v'.repeat(257)}' at 'tags.2.member.tagValue' failed to satisfy constraint: Member must have length less than or equal to 256`,
    ],
  ])('may not be: %s', async (_, Tags, expected) => {
    const { KeyId } = await createKey({ Tags: [tag('before', '1')] })
    expect(await refusal(kms.tagResource({ KeyId, Tags }))).toBe(expected)
    expect(await refusal(kms.createKey({ Tags }))).toBe(expected)
    expect(await tagsOf(KeyId)).toEqual(['before=1'])
  })
})

describe('a key policy', () => {
  it('is the default one, formatted as on AWS, if none was given', async () => {
    const { KeyId } = await createKey()
    expect(await call(kms, 'GetKeyPolicy', { KeyId, PolicyName: 'default' })).toEqual({
      PolicyName: 'default',
      Policy: `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [
    {
      "Sid" : "Enable IAM User Permissions",
      "Effect" : "Allow",
      "Principal" : {
        "AWS" : "arn:aws:iam::${home}:root"
      },
      "Action" : "kms:*",
      "Resource" : "*"
    }
  ]
}`,
    })
    expect(await call(kms, 'ListKeyPolicies', { KeyId })).toEqual({ PolicyNames: ['default'], Truncated: false })
  })

  it('is enforced immediately, and bypassing the check can lock everyone out', async () => {
    const { KeyId } = await createKey()
    const lockout = { KeyId, Policy: policyFor(someone) }
    expect(await refusal(kms.putKeyPolicy(lockout))).toBe(
      'MalformedPolicyDocumentException: The new key policy will not allow you to update the key policy in the future.',
    )
    await kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
    await kms.putKeyPolicy({ ...lockout, BypassPolicyLockoutSafetyCheck: true })
    expect(await refusal(kms.encrypt({ KeyId, Plaintext: Buffer.from('text') }))).toMatch(/^AccessDeniedException: /)
  })

  it.each<[string, string, string]>([
    ['no JSON', '{', 'This policy contains invalid Json'],
    ['JSON that is no policy', '[]', 'A policy is a JSON object'],
    [
      'a principal that cannot be',
      policyFor('nobody'),
      'Policy contains a statement with one or more invalid principals.',
    ],
    [
      'one with a condition of an unknown kind',
      ownPolicy.replace('"Action"', '"Condition":{"BoolEquals":{"aws:SecureTransport":"true"}},"Action"'),
      'Invalid Condition type : BoolEquals',
    ],
    [
      'one with a condition that lets too much through',
      ownPolicy.replace(
        '"Action"',
        '"Condition":{"ForAllValues:StringEquals":{"kms:EncryptionContext:a":"b"}},"Action"',
      ),
      'OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition key matches requests without the specified encryption context or with an unspecified encryption context. To fix, remove ForAllValues.',
    ],
  ])('may not be %s', async (_, Policy, message) => {
    const { KeyId } = await createKey()
    expect(await refusal(kms.putKeyPolicy({ KeyId, Policy }))).toBe(`MalformedPolicyDocumentException: ${message}`)
  })

  it('may depend on what the request that puts it has, and what the key is', async () => {
    const under = (condition: object) =>
      ownPolicy.replace('"Action"', `"Condition":${JSON.stringify(condition)},"Action"`)
    const here = under({ IpAddress: { 'aws:SourceIp': '127.0.0.0/8' }, StringEquals: { 'kms:KeySpec': 'HMAC_256' } })
    const kind = { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' } as const
    const { KeyId } = await createKey({ ...kind, Policy: here })
    await kms.putKeyPolicy({ KeyId, Policy: here })
    for (const condition of [
      { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
      { StringEquals: { 'kms:KeySpec': 'SYMMETRIC_DEFAULT' } },
    ]) {
      const lockout = /^MalformedPolicyDocumentException: The new key policy will not allow you to update/
      expect(await refusal(kms.putKeyPolicy({ KeyId, Policy: under(condition) }))).toMatch(lockout)
      expect(await refusal(createKey({ ...kind, Policy: under(condition) }))).toMatch(lockout)
    }
  })

  it('is not too long', async () => {
    const { KeyId } = await createKey()
    expect(await refusal(kms.putKeyPolicy({ KeyId, Policy: ownPolicy.padEnd(32_769) }))).toMatch(
      /^LimitExceededException: /,
    )
    await kms.putKeyPolicy({ KeyId, Policy: ownPolicy.padEnd(32_768) })
  })

  it('is called default', async () => {
    const { KeyId } = await createKey()
    expect(await refusal(kms.getKeyPolicy({ KeyId, PolicyName: 'other' }))).toBe(
      'NotFoundException: No such policy exists',
    )
    expect(await refusal(kms.putKeyPolicy({ KeyId, PolicyName: 'other', Policy: ownPolicy }))).toBe(
      'NotFoundException: No such policy exists',
    )
    expect(await refusal(kms.getKeyPolicy({ KeyId, PolicyName: 'a b' }))).toBe(
      "ValidationException: 1 validation error detected: Value 'a b' at 'policyName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w]+",
    )
  })
})

describe('a list', () => {
  const region = 'eu-central-1'
  let lister: KMS
  let keyIds: string[]

  beforeAll(async () => {
    lister = gateway.client({ region })
    keyIds = []
    for (let i = 0; i < 7; i++) keyIds.push((await lister.createKey({})).KeyMetadata!.KeyId!)
    for (let i = 0; i < 7; i++) await lister.createAlias({ AliasName: `alias/a${i}`, TargetKeyId: keyIds[0]! })
    const Tags = Array.from({ length: 7 }, (_, i) => ({ TagKey: `t${6 - i}`, TagValue: '' }))
    await lister.tagResource({ KeyId: keyIds[0]!, Tags })
  })

  type Row = readonly [OperationName, object, (output: Record<string, unknown>) => unknown[]]
  const rows = (): readonly Row[] => [
    ['ListKeys', {}, ({ Keys }) => Keys as unknown[]],
    ['ListAliases', {}, ({ Aliases }) => Aliases as unknown[]],
    ['ListAliases', { KeyId: keyIds[0] }, ({ Aliases }) => Aliases as unknown[]],
    ['ListResourceTags', { KeyId: keyIds[0] }, ({ Tags }) => Tags as unknown[]],
  ]

  it('is returned whole or in pages', async () => {
    for (const [operation, input, records] of rows()) {
      const whole = await call(lister, operation, input)
      expect(whole).toMatchObject({ Truncated: false })
      expect(whole).not.toHaveProperty('NextMarker')
      expect(records(whole)).toHaveLength(7)
      const gathered: unknown[] = []
      let marker: unknown
      const truncated: unknown[] = []
      do {
        const page = await call(lister, operation, { ...input, Limit: 3, Marker: marker })
        gathered.push(...records(page))
        truncated.push(page.Truncated)
        marker = page.NextMarker
      } while (marker !== undefined)
      expect(gathered).toEqual(records(whole))
      expect(truncated).toEqual([true, true, false])
    }
  })

  it('of keys names id and ARN, in the order of ids', async () => {
    const { Keys } = await lister.listKeys({})
    const expected = [...keyIds].sort().map(KeyId => ({ KeyId, KeyArn: `arn:aws:kms:${region}:${home}:key/${KeyId}` }))
    expect(Keys).toEqual(expected)
  })

  it('continues at its marker, whatever was added or deleted since', async () => {
    const { Aliases, NextMarker } = await lister.listAliases({ Limit: 3 })
    await lister.deleteAlias({ AliasName: Aliases![2]!.AliasName! })
    const rest = await lister.listAliases({ Marker: NextMarker })
    expect(rest.Aliases!.map(({ AliasName }) => AliasName)).toEqual(['alias/a3', 'alias/a4', 'alias/a5', 'alias/a6'])
    await lister.createAlias({ AliasName: Aliases![2]!.AliasName!, TargetKeyId: keyIds[0]! })
  })

  it('refuses a marker of another list or region, or a forged one', async () => {
    const markers: Record<string, string> = {}
    for (const [operation, input] of rows()) {
      markers[operation + Object.keys(input)] = (await call(lister, operation, { ...input, Limit: 3 }))
        .NextMarker as string
    }
    const own = { ...markers }
    for (const [operation, input] of rows()) {
      const name = operation + Object.keys(input)
      for (const [other, Marker] of Object.entries(own)) {
        const outcome = await refusal(call(lister, operation, { ...input, Marker }))
        const expected = other === name ? 'no refusal' : 'InvalidMarkerException: Could not deserialize marker'
        expect(outcome, `${other} given to ${name}`).toBe(expected)
      }
      for (const Marker of ['x', 'e30', Buffer.from('["ListKeys"]').toString('base64url'), `${markers[name]}AAAA`]) {
        expect(await refusal(call(lister, operation, { ...input, Marker })), Marker).toMatch(/^InvalidMarkerException/)
      }
    }
    expect(await refusal(kms.listKeys({ Marker: own.ListKeys }))).toMatch(/^InvalidMarkerException/)
  })

  it.each<[OperationName, number, string]>([
    ['ListKeys', 1001, 'less than or equal to 1000'],
    ['ListKeys', 0, 'greater than or equal to 1'],
    ['ListAliases', 101, 'less than or equal to 100'],
    ['ListResourceTags', 51, 'less than or equal to 50'],
    ['ListKeyPolicies', 1001, 'less than or equal to 1000'],
  ])('%s has no page of %s records', async (operation, Limit, bound) => {
    const input = operation === 'ListKeys' || operation === 'ListAliases' ? {} : { KeyId: keyIds[0] }
    expect(await refusal(call(lister, operation, { ...input, Limit }))).toBe(
      `ValidationException: 1 validation error detected: Value '${Limit}' at 'limit' failed to satisfy constraint: Member must have value ${bound}`,
    )
  })
})
