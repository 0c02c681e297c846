/** Imported key material: an unmodified SDK, material wrapped with OpenSSL, a real token. */
import { randomBytes } from 'node:crypto'
import type {
  AlgorithmSpec,
  ImportKeyMaterialRequest,
  KeySpec,
  KeyUsageType,
  KMS,
  WrappingKeySpec,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WrappingAlgorithm } from '../../src/model/keys/wrapping-algorithm.ts'
import { wrapMaterial } from '../contracts/wrapping.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'

let installation: Installation
let gateway: Gateway
let kms: KMS

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  kms = gateway.client()
}, 60_000)
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

async function created(
  KeySpec: KeySpec = 'SYMMETRIC_DEFAULT',
  KeyUsage: KeyUsageType = 'ENCRYPT_DECRYPT',
): Promise<string> {
  const { KeyMetadata } = await kms.createKey({ Origin: 'EXTERNAL', KeySpec, KeyUsage })
  return KeyMetadata!.Arn!
}

interface Way {
  readonly WrappingAlgorithm: AlgorithmSpec
  readonly WrappingKeySpec: WrappingKeySpec
}

const plainly: Way = { WrappingAlgorithm: 'RSAES_OAEP_SHA_1', WrappingKeySpec: 'RSA_2048' }

async function wrapped(KeyId: string, material: Buffer, way: Way = plainly) {
  const { ImportToken, PublicKey } = await kms.getParametersForImport({ KeyId, ...way })
  const EncryptedKeyMaterial = wrapMaterial(PublicKey!, way.WrappingAlgorithm as WrappingAlgorithm, material)
  return { KeyId, ImportToken: ImportToken!, EncryptedKeyMaterial }
}

const forever = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' } as const

async function imported(KeyId: string, material: Buffer, rest: Partial<ImportKeyMaterialRequest> = forever, way?: Way) {
  return kms.importKeyMaterial({ ...(await wrapped(KeyId, material, way)), ...rest })
}

async function metadata(KeyId: string) {
  return (await kms.describeKey({ KeyId })).KeyMetadata!
}

const text = Buffer.from('a secret that is not one')

describe('a symmetric key of imported material', () => {
  it('is pending import at first, and works once it has its material', async () => {
    const KeyId = await created()
    const before = await metadata(KeyId)
    expect(before).toMatchObject({ KeyState: 'PendingImport', Enabled: false, Origin: 'EXTERNAL' })
    for (const member of ['ExpirationModel', 'ValidTo', 'CurrentKeyMaterialId'])
      expect(before).not.toHaveProperty(member)
    await expect(kms.encrypt({ KeyId, Plaintext: text })).rejects.toMatchObject({
      name: 'KMSInvalidStateException',
      message: `${KeyId} is pending import.`,
    })
    const answer = await imported(KeyId, randomBytes(32))
    expect(answer).toMatchObject({ KeyId, KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(await metadata(KeyId)).toMatchObject({
      KeyState: 'Enabled',
      Enabled: true,
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      CurrentKeyMaterialId: answer.KeyMaterialId,
    })
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: text })
    const { Plaintext, KeyMaterialId } = await kms.decrypt({ CiphertextBlob })
    expect(Buffer.from(Plaintext!)).toEqual(text)
    expect(KeyMaterialId).toBe(answer.KeyMaterialId)
  })

  it('decrypts nothing while its material is deleted, and everything once the same is imported again', async () => {
    const KeyId = await created()
    const material = randomBytes(32)
    const { KeyMaterialId } = await imported(KeyId, material)
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: text })
    expect(await kms.deleteImportedKeyMaterial({ KeyId })).toMatchObject({ KeyId, KeyMaterialId })
    const gone = await metadata(KeyId)
    expect(gone).toMatchObject({ KeyState: 'PendingImport', CurrentKeyMaterialId: KeyMaterialId })
    expect(gone).not.toHaveProperty('ExpirationModel')
    const refused = { name: 'KMSInvalidStateException', message: `${KeyId} is pending import.` }
    await expect(kms.decrypt({ CiphertextBlob })).rejects.toMatchObject(refused)
    await expect(kms.decrypt({ CiphertextBlob, KeyId })).rejects.toMatchObject(refused)
    await expect(kms.reEncrypt({ CiphertextBlob, DestinationKeyId: KeyId })).rejects.toMatchObject(refused)
    await kms.deleteImportedKeyMaterial({ KeyId })
    await expect(imported(KeyId, randomBytes(32))).rejects.toMatchObject({ name: 'IncorrectKeyMaterialException' })
    expect(await imported(KeyId, material)).toMatchObject({ KeyMaterialId })
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(text)
  })

  it('gets new material by a rotation only, and one at a time', async () => {
    const KeyId = await created()
    const [first, second] = [randomBytes(32), randomBytes(32)]
    const { KeyMaterialId } = await imported(KeyId, first)
    const rest = { ...forever, ImportType: 'NEW_KEY_MATERIAL' } as const
    await expect(imported(KeyId, first, rest)).rejects.toMatchObject({ name: 'IncorrectKeyMaterialException' })
    const pending = await imported(KeyId, second, rest)
    expect(await metadata(KeyId)).toMatchObject({ KeyState: 'Enabled', CurrentKeyMaterialId: KeyMaterialId })
    await expect(imported(KeyId, randomBytes(32), rest)).rejects.toMatchObject({
      name: 'KMSInvalidStateException',
      message: expect.stringContaining(
        `because another key material (id: ${pending.KeyMaterialId}) is pending rotation.`,
      ),
    })
    await kms.deleteImportedKeyMaterial({ KeyId, KeyMaterialId: pending.KeyMaterialId })
    expect(await metadata(KeyId)).toMatchObject({ KeyState: 'Enabled' })
    await imported(KeyId, randomBytes(32), rest)
  })

  it('has material that expires when it is said to, within a second or two', async () => {
    const KeyId = await created()
    const ValidTo = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3000)
    await imported(KeyId, randomBytes(32), { ValidTo })
    expect(await metadata(KeyId)).toMatchObject({
      KeyState: 'Enabled',
      ExpirationModel: 'KEY_MATERIAL_EXPIRES',
      ValidTo,
    })
    await expect.poll(async () => (await metadata(KeyId)).KeyState, { timeout: 20_000 }).toBe('PendingImport')
    expect(Date.now()).toBeGreaterThanOrEqual(ValidTo.getTime())
  })
})
