import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { call, refusal } from './requests.ts'
import { objectsOn } from './token-objects.ts'

/** Rotation through the AWS SDK: on demand, and what can be seen and set of automatic rotation. */

const other = '444455556666'
/** Instead of 25. */
const maxOnDemandRotations = 4
const day = 86_400_000

let installation: Installation
let gateway: Gateway
let kms: KMS
let stranger: KMS

beforeAll(async () => {
  installation = await install({ accounts: [home, other] })
  installation.configure(config => {
    config.rotation = { maxOnDemandRotations }
  })
  gateway = await serve(installation)
  kms = gateway.client()
  stranger = gateway.client({ account: other })
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

/** @param accounts whose principals may use the key */
async function createKey(spec: object = {}, accounts: readonly string[] = [home]) {
  const AWS = accounts.map(account => `arn:aws:iam::${account}:root`)
  const Statement = [{ Effect: 'Allow', Principal: { AWS }, Action: 'kms:*', Resource: '*' }]
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
  const { KeyMetadata } = await kms.createKey({ Policy, ...spec })
  return KeyMetadata as { readonly KeyId: string; readonly Arn: string; readonly CurrentKeyMaterialId: string }
}

const hmac = { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }
const ecc = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }
const currentOf = async (KeyId: string) => (await kms.describeKey({ KeyId })).KeyMetadata!.CurrentKeyMaterialId!
const statusOf = (KeyId: string) => call(kms, 'GetKeyRotationStatus', { KeyId }) as Promise<Record<string, unknown>>
const notShared = (action: string, resource: string) =>
  `AccessDeniedException: User: arn:aws:iam::${other}:user/administrator is not authorized to perform: ${action} on resource: ${resource} because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access`

describe('automatic rotation', () => {
  it.each([{}, hmac, ecc])('is disabled at first for %o', async spec => {
    const { KeyId, Arn } = await createKey(spec)
    expect(await statusOf(KeyId)).toEqual({ KeyId: Arn, KeyRotationEnabled: false })
  })

  it('is enabled with a period, which can be changed, and disabled', async () => {
    const { KeyId, Arn } = await createKey()
    const expectPeriod = async (RotationPeriodInDays: number) => {
      const status = await statusOf(KeyId)
      const NextRotationDate = expect.any(Date)
      expect(status).toEqual({ KeyId: Arn, KeyRotationEnabled: true, RotationPeriodInDays, NextRotationDate })
      const days = ((status.NextRotationDate as Date).getTime() - Date.now()) / day
      expect(Math.round(days)).toBe(RotationPeriodInDays)
      return status
    }
    await kms.enableKeyRotation({ KeyId })
    await expectPeriod(365)
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 })
    const first = await expectPeriod(90)
    await kms.enableKeyRotation({ KeyId: Arn, RotationPeriodInDays: 90 })
    expect(await statusOf(KeyId)).toEqual(first)
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 2560 })
    await expectPeriod(2560)
    await kms.enableKeyRotation({ KeyId })
    await expectPeriod(365)
    for (let times = 0; times < 2; times++) {
      await kms.disableKeyRotation({ KeyId })
      expect(await statusOf(KeyId)).toEqual({ KeyId: Arn, KeyRotationEnabled: false })
    }
  })

  it('reads as disabled while the key is pending deletion, and as it was afterwards', async () => {
    const { KeyId, Arn } = await createKey()
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 180 })
    const before = await statusOf(KeyId)
    await kms.disableKey({ KeyId })
    expect(await statusOf(KeyId)).toEqual(before)
    await kms.scheduleKeyDeletion({ KeyId })
    expect(await statusOf(KeyId)).toEqual({ KeyId: Arn, KeyRotationEnabled: false })
    await kms.cancelKeyDeletion({ KeyId })
    expect(await statusOf(KeyId)).toEqual(before)
  })

  it('cannot be enabled for keys that never rotate; disabling it there succeeds', async () => {
    for (const spec of [hmac, ecc]) {
      const { KeyId } = await createKey(spec)
      expect(await refusal(kms.enableKeyRotation({ KeyId }))).toBe('UnsupportedOperationException')
      expect(await refusal(kms.disableKeyRotation({ KeyId }))).toBe('no refusal')
    }
  })

  it.each([89, 2561, 0, -1])('has no period of %i days', async RotationPeriodInDays => {
    const { KeyId } = await createKey()
    expect(await refusal(kms.enableKeyRotation({ KeyId, RotationPeriodInDays }))).toMatch(
      /^ValidationException: 1 validation error detected: Value '.*' at 'rotationPeriodInDays' failed to satisfy/,
    )
  })

  it('is shown to other accounts, if the key policy allows it, and managed by its own only', async () => {
    const [shared, own] = [await createKey({}, [home, other]), await createKey()]
    expect(await call(stranger, 'GetKeyRotationStatus', { KeyId: shared.Arn })).toMatchObject({ KeyId: shared.Arn })
    for (const [operation, { Arn }] of [
      ['GetKeyRotationStatus', own],
      ['EnableKeyRotation', shared],
      ['DisableKeyRotation', shared],
      ['RotateKeyOnDemand', shared],
      ['ListKeyRotations', shared],
    ] as const)
      expect(await refusal(call(stranger, operation, { KeyId: Arn }))).toBe(notShared(`kms:${operation}`, Arn))
  })

  it('can be limited by a condition on the period, whether it is given or not', async () => {
    const { KeyId } = await createKey()
    const administrator = `arn:aws:iam::${home}:root`
    const deny = (bound: object) => ({ Effect: 'Deny', Action: 'kms:EnableKeyRotation', Condition: bound })
    const Statement = [
      { Effect: 'Allow', Principal: { AWS: administrator }, Action: 'kms:*', Resource: '*' },
      {
        Principal: '*',
        Resource: '*',
        ...deny({ NumericGreaterThan: { 'kms:RotationPeriodInDays': '180' } }),
      },
    ]
    await kms.putKeyPolicy({ KeyId, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) })
    expect(await refusal(kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 180 }))).toBe('no refusal')
    for (const period of [{ RotationPeriodInDays: 181 }, {}])
      expect(await refusal(kms.enableKeyRotation({ KeyId, ...period }))).toMatch(/^AccessDeniedException/)
  })
})

describe('rotation on demand', () => {
  it('is done when it is answered, and every ciphertext decrypts with its own material', async () => {
    const { KeyId, Arn, CurrentKeyMaterialId } = await createKey()
    const Plaintext = Buffer.from('a plaintext')
    const EncryptionContext = { purpose: 'test' }
    const blobs = new Map<string, Uint8Array>()
    const encrypt = async () => {
      const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext, EncryptionContext })
      blobs.set(await currentOf(KeyId), CiphertextBlob!)
    }
    await encrypt()
    for (let times = 1; times <= maxOnDemandRotations; times++) {
      expect(await call(kms, 'RotateKeyOnDemand', { KeyId })).toEqual({ KeyId: Arn })
      await encrypt()
      const { KeyMaterialId } = await kms.generateDataKey({ KeyId, KeySpec: 'AES_256' })
      expect(KeyMaterialId).toBe(await currentOf(KeyId))
    }
    expect(blobs.size).toBe(maxOnDemandRotations + 1)
    for (const [material, CiphertextBlob] of blobs) {
      const answer = await kms.decrypt({ CiphertextBlob, EncryptionContext })
      expect(Buffer.from(answer.Plaintext!)).toEqual(Plaintext)
      expect(answer.KeyMaterialId).toBe(material)
      expect(await refusal(kms.decrypt({ CiphertextBlob }))).toBe('InvalidCiphertextException')
      const moved = await kms.reEncrypt({
        CiphertextBlob,
        SourceEncryptionContext: EncryptionContext,
        DestinationKeyId: KeyId,
      })
      expect([moved.SourceKeyMaterialId, moved.DestinationKeyMaterialId]).toEqual([material, await currentOf(KeyId)])
    }
    const objects = new Set((await objectsOn(installation)).map(({ id }) => id))
    for (const material of [CurrentKeyMaterialId, ...blobs.keys()]) expect(objects).toContain(material)
  })

  it('is limited to a number of times in total', async () => {
    const { KeyId, Arn } = await createKey()
    for (let times = 0; times < maxOnDemandRotations; times++) await kms.rotateKeyOnDemand({ KeyId })
    const text = `LimitExceededException: The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${Arn}`
    const before = await currentOf(KeyId)
    expect(await refusal(kms.rotateKeyOnDemand({ KeyId }))).toBe(text)
    expect(await currentOf(KeyId)).toBe(before)
  })

  it('leaves the schedule of automatic rotation', async () => {
    const { KeyId } = await createKey()
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 })
    const before = await statusOf(KeyId)
    await kms.rotateKeyOnDemand({ KeyId })
    expect(await statusOf(KeyId)).toEqual(before)
  })

  it('is refused for keys that never rotate, whose state is checked first', async () => {
    for (const spec of [hmac, ecc]) {
      const { KeyId, Arn } = await createKey(spec)
      expect(await refusal(kms.rotateKeyOnDemand({ KeyId }))).toBe('UnsupportedOperationException')
      await kms.disableKey({ KeyId })
      expect(await refusal(kms.rotateKeyOnDemand({ KeyId }))).toBe(`DisabledException: ${Arn} is disabled.`)
    }
  })

  it('by many callers at once gives each its own material, and leaves no object behind', async () => {
    const keys = [await createKey(), await createKey()]
    const before = new Set((await objectsOn(installation)).map(({ id }) => id))
    const asked = keys.flatMap(({ KeyId }) => Array.from({ length: maxOnDemandRotations + 2 }, () => KeyId))
    const outcomes = await Promise.all(asked.map(KeyId => refusal(kms.rotateKeyOnDemand({ KeyId }))))
    expect(outcomes.filter(outcome => outcome === 'no refusal')).toHaveLength(2 * maxOnDemandRotations)
    expect(outcomes.filter(outcome => outcome.startsWith('LimitExceededException'))).toHaveLength(2 * 2)
    const materials = await Promise.all(
      keys.map(({ KeyId }) => listed(KeyId, { IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })),
    )
    const expected = materials.flat().map(({ KeyMaterialId }) => KeyMaterialId!)
    expect(new Set((await objectsOn(installation)).map(({ id }) => id))).toEqual(new Set([...before, ...expected]))
  })

  it('is on record, with the materials before and after it', async () => {
    const { KeyId, Arn, CurrentKeyMaterialId } = await createKey()
    await kms.rotateKeyOnDemand({ KeyId })
    expect(gateway.records().at(-1)).toMatchObject({
      eventName: 'RotateKeyOnDemand',
      eventType: 'AwsApiCall',
      readOnly: false,
      requestParameters: { keyId: KeyId },
      responseElements: { keyId: Arn },
      additionalEventData: {
        strongroom: {
          previousKeyMaterialId: CurrentKeyMaterialId,
          currentKeyMaterialId: await currentOf(KeyId),
        },
      },
    })
  })
})

async function listed(KeyId: string, rest: object = {}) {
  const { Rotations } = await kms.listKeyRotations({ KeyId, ...rest })
  return Rotations!
}

describe('the list of rotations', () => {
  it('is in their order, with the first material on request', async () => {
    const { KeyId, Arn, CurrentKeyMaterialId } = await createKey()
    const all = { IncludeKeyMaterial: 'ALL_KEY_MATERIAL' }
    const first = { KeyId: Arn, KeyMaterialId: CurrentKeyMaterialId }
    expect(await call(kms, 'ListKeyRotations', { KeyId })).toEqual({ Rotations: [], Truncated: false })
    expect(await listed(KeyId, all)).toEqual([{ ...first, KeyMaterialState: 'CURRENT' }])
    const ids: string[] = []
    for (let times = 0; times < 3; times++) {
      await kms.rotateKeyOnDemand({ KeyId })
      ids.push(await currentOf(KeyId))
    }
    const rotations = ids.map((KeyMaterialId, index) => ({
      KeyId: Arn,
      KeyMaterialId,
      KeyMaterialState: index === 2 ? 'CURRENT' : 'NON_CURRENT',
      RotationDate: expect.any(Date),
      RotationType: 'ON_DEMAND',
    }))
    expect(await listed(KeyId)).toEqual(rotations)
    expect(await listed(KeyId, { IncludeKeyMaterial: 'ROTATIONS_ONLY' })).toEqual(rotations)
    expect(await listed(KeyId, all)).toEqual([{ ...first, KeyMaterialState: 'NON_CURRENT' }, ...rotations])
  })

  it('is read in pages, to which later rotations are added', async () => {
    const { KeyId } = await createKey()
    for (let times = 0; times < 3; times++) await kms.rotateKeyOnDemand({ KeyId })
    const ids: string[] = []
    for (let Marker: string | undefined; ; ) {
      const page = await kms.listKeyRotations({ KeyId, Limit: 1, Marker })
      ids.push(...page.Rotations!.map(({ KeyMaterialId }) => KeyMaterialId!))
      expect(page.Truncated).toBe(page.NextMarker !== undefined)
      if (ids.length === 2) await kms.rotateKeyOnDemand({ KeyId })
      Marker = page.NextMarker
      if (Marker === undefined) break
    }
    expect(ids).toEqual((await listed(KeyId)).map(({ KeyMaterialId }) => KeyMaterialId))
    expect(ids).toHaveLength(4)
    const { NextMarker } = await kms.listKeyRotations({ KeyId, Limit: 1 })
    for (const rest of [{ IncludeKeyMaterial: 'ALL_KEY_MATERIAL' as const }, { KeyId: (await createKey()).KeyId }])
      expect(await refusal(kms.listKeyRotations({ KeyId, Marker: NextMarker, ...rest }))).toMatch(/^InvalidMarker/)
  })

  it('does not exist for keys that never rotate', async () => {
    for (const spec of [hmac, ecc]) {
      const { KeyId } = await createKey(spec)
      expect(await refusal(kms.listKeyRotations({ KeyId }))).toBe('UnsupportedOperationException')
    }
  })
})
