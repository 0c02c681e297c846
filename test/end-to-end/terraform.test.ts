import { randomBytes } from 'node:crypto'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { wrapMaterial } from '../contracts/wrapping.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { refusal } from './requests.ts'

/**
 * The calls of Terraform's provider for AWS (5.100) in its order, as the audit journal has them when Terraform itself runs against a
 * gateway. It polls until it reads back what it wrote, and again until it has read that several times.
 */

let installation: Installation
let gateway: Gateway
let kms: KMS

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  kms = gateway.client()
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

const Tags = [{ TagKey: 'a', TagValue: 'b' }]

/** What it reads of a resource: after each change, for each plan, and before it destroys it. Of imported keys, not the rotation. */
async function read(KeyId: string) {
  const { KeyMetadata } = await kms.describeKey({ KeyId })
  const { Policy } = await kms.getKeyPolicy({ KeyId, PolicyName: 'default' })
  const rotation = KeyMetadata!.Origin === 'AWS_KMS' ? await rotationOf(KeyId) : undefined
  const { Tags } = await kms.listResourceTags({ KeyId })
  const { Description, Enabled, ValidTo } = KeyMetadata!
  return { Description, Enabled, ValidTo, Policy, rotation, Tags }
}

async function rotationOf(KeyId: string) {
  const { KeyRotationEnabled, RotationPeriodInDays } = await kms.getKeyRotationStatus({ KeyId })
  return { KeyRotationEnabled, RotationPeriodInDays }
}

async function destroy(KeyId: string): Promise<void> {
  await read(KeyId)
  await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 })
  const { KeyMetadata } = await kms.describeKey({ KeyId })
  expect(KeyMetadata).toMatchObject({ KeyState: 'PendingDeletion', Enabled: false })
}

describe('aws_kms_key', () => {
  const off = { KeyRotationEnabled: false, RotationPeriodInDays: undefined }
  const every = (RotationPeriodInDays: number) => ({ KeyRotationEnabled: true, RotationPeriodInDays })

  it('is created with rotation, updated and destroyed, and each read finds what was written', async () => {
    const created = await kms.createKey({
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      KeyUsage: 'ENCRYPT_DECRYPT',
      Description: 'rotated',
      Tags,
    })
    const KeyId = created.KeyMetadata!.KeyId!
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 180 })
    expect(await rotationOf(KeyId)).toEqual(every(180))
    expect((await kms.listResourceTags({ KeyId })).Tags).toEqual(Tags)
    const before = await read(KeyId)
    expect(before).toMatchObject({ Description: 'rotated', Enabled: true, rotation: every(180), Tags })

    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 365 })
    expect(await rotationOf(KeyId)).toEqual(every(365))
    await kms.disableKeyRotation({ KeyId })
    expect(await rotationOf(KeyId)).toEqual(off)

    await kms.tagResource({ KeyId, Tags: [{ TagKey: 'a', TagValue: 'c' }] })
    await kms.updateKeyDescription({ KeyId, Description: 'other' })
    await kms.disableKey({ KeyId })
    const changed = { Description: 'other', Enabled: false, rotation: off, Tags: [{ TagKey: 'a', TagValue: 'c' }] }
    expect(await read(KeyId)).toEqual({ ...before, ...changed })
    await destroy(KeyId)
  })

  it('is created disabled with rotation, and reads as such', async () => {
    const { KeyMetadata } = await kms.createKey({ CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT' })
    const KeyId = KeyMetadata!.KeyId!
    await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 180 })
    await kms.disableKey({ KeyId })
    expect(await read(KeyId)).toMatchObject({ Enabled: false, rotation: every(180) })
    await destroy(KeyId)
  })

  it.each(['ECC_NIST_P256', 'HMAC_256'] as const)('of the key spec %s is read, without rotation', async spec => {
    const KeyUsage = spec === 'HMAC_256' ? 'GENERATE_VERIFY_MAC' : 'SIGN_VERIFY'
    const { KeyMetadata } = await kms.createKey({ CustomerMasterKeySpec: spec, KeyUsage })
    expect(await read(KeyMetadata!.KeyId!)).toMatchObject({ Enabled: true, rotation: off })
    await destroy(KeyMetadata!.KeyId!)
  })
})

describe('aws_kms_external_key', () => {
  async function create(): Promise<string> {
    const { KeyMetadata } = await kms.createKey({ KeyUsage: 'ENCRYPT_DECRYPT', Origin: 'EXTERNAL', Tags })
    return KeyMetadata!.KeyId!
  }

  async function importMaterial(KeyId: string, material: Uint8Array, ValidTo?: Date) {
    const WrappingAlgorithm = 'RSAES_OAEP_SHA_256'
    const parameters = await kms.getParametersForImport({ KeyId, WrappingAlgorithm, WrappingKeySpec: 'RSA_2048' })
    await kms.importKeyMaterial({
      KeyId,
      ImportToken: parameters.ImportToken!,
      EncryptedKeyMaterial: wrapMaterial(parameters.PublicKey!, WrappingAlgorithm, material),
      ExpirationModel: ValidTo ? 'KEY_MATERIAL_EXPIRES' : 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      ...(ValidTo && { ValidTo }),
    })
  }

  const inDays = (days: number) => new Date(1000 * Math.floor(Date.now() / 1000 + days * 86_400))

  it('without material is read, and destroyed', async () => {
    const KeyId = await create()
    expect(await read(KeyId)).toMatchObject({ Enabled: false, ValidTo: undefined, Tags })
    await destroy(KeyId)
  })

  it('imports its material again when its expiry changes, and each read finds what was written', async () => {
    const [KeyId, material, sooner, later] = [await create(), randomBytes(32), inDays(30), inDays(60)]
    await importMaterial(KeyId, material, sooner)
    expect(await read(KeyId)).toMatchObject({ Enabled: true, ValidTo: sooner })
    await importMaterial(KeyId, material, later)
    expect(await read(KeyId)).toMatchObject({ Enabled: true, ValidTo: later })
    await importMaterial(KeyId, material)
    expect(await read(KeyId)).toMatchObject({ Enabled: true, ValidTo: undefined })
    await kms.disableKey({ KeyId })
    await importMaterial(KeyId, material, later)
    expect(await read(KeyId)).toMatchObject({ Enabled: false, ValidTo: later })
    const another = refusal(importMaterial(KeyId, randomBytes(32), later))
    expect(await another).toMatch(/^IncorrectKeyMaterialException/)
    await destroy(KeyId)
  })
})
