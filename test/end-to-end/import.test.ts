/** Imported key material: an unmodified SDK, material wrapped with OpenSSL, a real token, and time that the test moves. */
import { createHmac, createPrivateKey, createPublicKey, randomBytes, verify } from 'node:crypto'
import type { KeySpec, KeyUsageType } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { wrappingAlgorithmsOf } from '../../src/model/keys/wrapping-algorithm.ts'
import { newKeyBytes } from '../contracts/hsm-imports.ts'
import { RunningGateway } from '../state-machine/running-gateway.ts'
import { recordsOf } from './gateway.ts'
import { refusals } from './import-refusals.ts'
import { created, forever, imported, metadata, plainly, wrapped } from './imports.ts'
import { multiRegionImports } from './multi-region-imports.ts'
import { call, refusal } from './requests.ts'
import { destroyOn, objectsOn } from './token-objects.ts'

const [second, hour, day] = [1000, 3_600_000, 86_400_000]
const text = Buffer.from('a secret that is not one')
const isNew = { ...forever, ImportType: 'NEW_KEY_MATERIAL' } as const

let gateway: RunningGateway
const kms = () => gateway.kms

beforeAll(async () => {
  gateway = await RunningGateway.start(['us-east-1', 'eu-west-1', 'ap-southeast-2'])
}, 60_000)
afterAll(() => gateway?.end())

/** Time passes, and the jobs of then run: an object is destroyed by the second of them. */
async function pass(milliseconds: number): Promise<void> {
  await gateway.time.moveTo(gateway.time.now + milliseconds)
  await gateway.time.moveTo(gateway.time.now + 2 * second)
}

/** How many objects on the token have the label. */
async function labelled(label: string): Promise<number> {
  return (await objectsOn(gateway.installation)).filter(object => object.label === label).length
}

const recordOf = (name: string) => recordsOf(gateway.installation).findLast(({ eventName }) => eventName === name)

describe('a symmetric key of imported material', () => {
  it('is pending import at first, and works once it has its material', async () => {
    const KeyId = await created(gateway)
    const before = await metadata(gateway, KeyId)
    expect(before).toMatchObject({ KeyState: 'PendingImport', Enabled: false, Origin: 'EXTERNAL' })
    for (const member of ['ExpirationModel', 'ValidTo', 'CurrentKeyMaterialId'])
      expect(before).not.toHaveProperty(member)
    expect(await refusal(kms().encrypt({ KeyId, Plaintext: text }))).toBe(
      `KMSInvalidStateException: ${KeyId} is pending import.`,
    )
    const answer = await imported(gateway, KeyId, randomBytes(32))
    expect(answer).toMatchObject({ KeyId, KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(await metadata(gateway, KeyId)).toMatchObject({
      KeyState: 'Enabled',
      Enabled: true,
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      CurrentKeyMaterialId: answer.KeyMaterialId,
    })
    const { CiphertextBlob } = await kms().encrypt({ KeyId, Plaintext: text })
    const { Plaintext, KeyMaterialId } = await kms().decrypt({ CiphertextBlob })
    expect(Buffer.from(Plaintext!)).toEqual(text)
    expect(KeyMaterialId).toBe(answer.KeyMaterialId)
  })

  it('decrypts nothing while its material is deleted, and everything once the same is imported again', async () => {
    const KeyId = await created(gateway)
    const material = randomBytes(32)
    expect(await call(kms(), 'DeleteImportedKeyMaterial', { KeyId })).toEqual({ KeyId })
    const { KeyMaterialId } = await imported(gateway, KeyId, material)
    const { CiphertextBlob } = await kms().encrypt({ KeyId, Plaintext: text })
    expect(await kms().deleteImportedKeyMaterial({ KeyId })).toMatchObject({ KeyId, KeyMaterialId })
    const gone = await metadata(gateway, KeyId)
    expect(gone).toMatchObject({ KeyState: 'PendingImport', CurrentKeyMaterialId: KeyMaterialId })
    expect(gone).not.toHaveProperty('ExpirationModel')
    const refused = `KMSInvalidStateException: ${KeyId} is pending import.`
    expect(await refusal(kms().decrypt({ CiphertextBlob }))).toBe(refused)
    expect(await refusal(kms().decrypt({ CiphertextBlob, KeyId }))).toBe(refused)
    expect(await refusal(kms().reEncrypt({ CiphertextBlob, DestinationKeyId: KeyId }))).toBe(refused)
    await pass(2 * second)
    expect(await labelled(KeyId)).toBe(0)
    expect(await kms().deleteImportedKeyMaterial({ KeyId })).toMatchObject({ KeyId, KeyMaterialId })
    expect(await refusal(imported(gateway, KeyId, randomBytes(32)))).toMatch(/^IncorrectKeyMaterialException/)
    await kms()
      .disableKey({ KeyId })
      .catch(() => {})
    expect(await imported(gateway, KeyId, material)).toMatchObject({ KeyMaterialId })
    expect(Buffer.from((await kms().decrypt({ CiphertextBlob })).Plaintext!)).toEqual(text)
    const unknown = 'ab'.repeat(32)
    expect(await refusal(kms().deleteImportedKeyMaterial({ KeyId, KeyMaterialId: unknown }))).toMatch(/^NotFound/)
  })

  it('gets new material by a rotation only, and one at a time', async () => {
    const KeyId = await created(gateway)
    const [first, second] = [randomBytes(32), randomBytes(32)]
    const { KeyMaterialId } = await imported(gateway, KeyId, first)
    const { CiphertextBlob } = await kms().encrypt({ KeyId, Plaintext: text })
    const pending = await imported(gateway, KeyId, second, { ...isNew, KeyMaterialDescription: 'the second' })
    expect(await metadata(gateway, KeyId)).toMatchObject({ KeyState: 'Enabled', CurrentKeyMaterialId: KeyMaterialId })
    expect(await refusal(imported(gateway, KeyId, randomBytes(32), isNew))).toMatch(
      `cannot be imported into KMS key ${KeyId}, because another key material (id: ${pending.KeyMaterialId}) is pending rotation.`,
    )
    await kms().deleteImportedKeyMaterial({ KeyId, KeyMaterialId: pending.KeyMaterialId })
    expect(await metadata(gateway, KeyId)).toMatchObject({ KeyState: 'Enabled' })
    expect(await imported(gateway, KeyId, second, isNew)).toMatchObject({ KeyMaterialId: pending.KeyMaterialId })
    await kms().rotateKeyOnDemand({ KeyId })
    expect(await metadata(gateway, KeyId)).toMatchObject({ CurrentKeyMaterialId: pending.KeyMaterialId })
    expect(Buffer.from((await kms().decrypt({ CiphertextBlob })).Plaintext!)).toEqual(text)
    await kms().deleteImportedKeyMaterial({ KeyId, KeyMaterialId })
    expect(await metadata(gateway, KeyId)).toMatchObject({ KeyState: 'PendingImport' })
    const described = { ...forever, KeyMaterialId, KeyMaterialDescription: 'the first' }
    expect(await imported(gateway, KeyId, first, described)).toMatchObject({ KeyMaterialId })
    expect(await metadata(gateway, KeyId)).toMatchObject({ KeyState: 'Enabled' })
    await imported(gateway, KeyId, first, forever)
    const { Rotations } = await kms().listKeyRotations({ KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })
    expect(Rotations!.map(entry => entry.KeyMaterialDescription)).toEqual(['the first', undefined])
  })

  it('keeps its HSM object when the same material is imported again, and gets another if that is gone', async () => {
    const KeyId = await created(gateway)
    const material = randomBytes(32)
    await imported(gateway, KeyId, material)
    const objects = async () => (await objectsOn(gateway.installation)).filter(({ label }) => label === KeyId)
    const before = await objects()
    const ValidTo = new Date(gateway.time.now + hour)
    await imported(gateway, KeyId, material, { ValidTo })
    expect(await metadata(gateway, KeyId)).toMatchObject({ ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo })
    await pass(2 * second)
    expect(await objects()).toEqual(before)
    const { CiphertextBlob } = await kms().encrypt({ KeyId, Plaintext: text })
    await destroyOn(gateway.installation, before[0]!.id)
    await imported(gateway, KeyId, material)
    expect(Buffer.from((await kms().decrypt({ CiphertextBlob })).Plaintext!)).toEqual(text)
    expect(await objects()).toHaveLength(1)
  })

  it('shows the first date at which it stops working', async () => {
    const KeyId = await created(gateway)
    const [sooner, later] = [new Date(gateway.time.now + hour), new Date(gateway.time.now + 2 * hour)]
    await imported(gateway, KeyId, randomBytes(32), { ValidTo: sooner })
    await imported(gateway, KeyId, randomBytes(32), { ...isNew, ...{ ExpirationModel: undefined, ValidTo: later } })
    await kms().rotateKeyOnDemand({ KeyId })
    expect(await metadata(gateway, KeyId)).toMatchObject({ ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: sooner })
  })
})

describe('imports of several callers at once', () => {
  const importedAtOnce = async (KeyId: string, materials: readonly Buffer[], rest: object = forever) => {
    const requests = await Promise.all(materials.map(material => wrapped(gateway, KeyId, material)))
    const outcomes = await Promise.all(
      requests.map(request => refusal(kms().importKeyMaterial({ ...request, ...rest }))),
    )
    return outcomes.map(outcome => outcome.split(':')[0]).sort()
  }

  it('are one import, if they bring the same, and otherwise one of them; each leaves one object', async () => {
    const KeyId = await created(gateway)
    const [first, next] = [randomBytes(32), [randomBytes(32), randomBytes(32), randomBytes(32)]]
    expect(await importedAtOnce(KeyId, [first, first, first])).toEqual(Array(3).fill('no refusal'))
    expect(await importedAtOnce(KeyId, next, isNew)).toEqual([
      'KMSInvalidStateException',
      'KMSInvalidStateException',
      'no refusal',
    ])
    const other = await created(gateway)
    const refused = 'IncorrectKeyMaterialException'
    expect(await importedAtOnce(other, next)).toEqual([refused, refused, 'no refusal'])
    await pass(2 * second)
    const labels = (await objectsOn(gateway.installation)).map(({ label }) => label)
    const count = (label: string) => labels.filter(one => one === label).length
    expect([count(KeyId), count(other)]).toEqual([2, 1])
  })
})

describe('material that expires', () => {
  it('is destroyed when its time has come, on record, and opens its ciphertexts once it is imported again', async () => {
    const KeyId = await created(gateway)
    const material = randomBytes(32)
    const ValidTo = new Date(Math.ceil(gateway.time.now / second) * second + hour)
    const { KeyMaterialId } = await imported(gateway, KeyId, material, { ValidTo })
    const { CiphertextBlob } = await kms().encrypt({ KeyId, Plaintext: text })
    await pass(hour - 5 * second)
    expect(await metadata(gateway, KeyId)).toMatchObject({ KeyState: 'Enabled', ValidTo })
    await pass(5 * second)
    expect(await metadata(gateway, KeyId)).toMatchObject({ KeyState: 'PendingImport' })
    expect(await labelled(KeyId)).toBe(0)
    expect(recordsOf(gateway.installation).findLast(({ resources }) => resources?.[0]?.ARN === KeyId)).toBeDefined()
    expect(recordOf('DeleteExpiredKeyMaterial')).toMatchObject({
      eventType: 'AwsServiceEvent',
      resources: [{ ARN: KeyId }],
      serviceEventDetails: { keyId: KeyId.split('/')[1], keyMaterialId: KeyMaterialId },
    })
    expect(await refusal(kms().decrypt({ CiphertextBlob }))).toBe(
      `KMSInvalidStateException: ${KeyId} is pending import.`,
    )
    await imported(gateway, KeyId, material)
    expect(Buffer.from((await kms().decrypt({ CiphertextBlob })).Plaintext!)).toEqual(text)
  })
})

describe('parameters for an import', () => {
  it('are valid for a day; their wrapping key is the same for a day, and is destroyed afterwards', async () => {
    // At the start of a day, so that it is certain when the wrapping key is made anew.
    await gateway.time.moveTo(Math.ceil(gateway.time.now / day) * day)
    const KeyId = await created(gateway)
    const label = `strongroom wrapping key of ${KeyId.split('/')[1]}`
    const material = randomBytes(32)
    const request = await wrapped(gateway, KeyId, material)
    const ask = () => kms().getParametersForImport({ KeyId, ...plainly })
    const first = await ask()
    expect(first).toMatchObject({ KeyId, ParametersValidTo: new Date(Math.trunc(gateway.time.now) + day) })
    await pass(day - 10 * second)
    expect(Buffer.from((await ask()).PublicKey!)).toEqual(Buffer.from(first.PublicKey!))
    expect(await kms().importKeyMaterial({ ...request, ...forever })).toMatchObject({ KeyId })
    await pass(9 * second)
    expect(Buffer.from((await ask()).PublicKey!)).not.toEqual(Buffer.from(first.PublicKey!))
    expect(await refusal(kms().importKeyMaterial({ ...request, ...forever }))).toBe('ExpiredImportTokenException')
    await pass(day)
    expect(await labelled(label)).toBe(1)
  })

  it('are on record without the token and the public key, as is the import without the material', async () => {
    const KeyId = await created(gateway)
    const material = randomBytes(32)
    const { KeyMaterialId } = await imported(gateway, KeyId, material)
    const [asked, done] = [recordOf('GetParametersForImport')!, recordOf('ImportKeyMaterial')!]
    expect(asked).toMatchObject({ readOnly: true, responseElements: null, requestParameters: { keyId: KeyId } })
    expect(Object.keys(asked.requestParameters as object).sort()).toEqual([
      'keyId',
      'wrappingAlgorithm',
      'wrappingKeySpec',
    ])
    expect(done).toMatchObject({
      readOnly: false,
      requestParameters: { keyId: KeyId, expirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' },
      responseElements: { keyId: KeyId, keyMaterialId: KeyMaterialId },
    })
    expect(done.additionalEventData).toEqual({
      strongroom: { hsm: 'softhsm', custody: 1, reasons: [expect.any(String)], durationMs: expect.any(Number) },
    })
    // SoftHSM cannot unwrap it: a worker has seen it.
    await imported(gateway, KeyId, material, forever, { ...plainly, WrappingAlgorithm: 'RSAES_OAEP_SHA_256' })
    expect(recordOf('ImportKeyMaterial')!.additionalEventData).toMatchObject({ strongroom: { bridged: true } })
  })

  it('are of no use without their wrapping key, and those of another spec are', async () => {
    const KeyId = await created(gateway)
    const [material, label] = [randomBytes(32), `strongroom wrapping key of ${KeyId.split('/')[1]}`]
    const request = { ...(await wrapped(gateway, KeyId, material)), ...forever }
    const wrappingKey = (await objectsOn(gateway.installation)).find(object => object.label === label)!
    await destroyOn(gateway.installation, wrappingKey.id)
    expect(await refusal(kms().importKeyMaterial(request))).toBe(
      'InvalidImportTokenException: The HSM no longer has the wrapping key of the import token. Use another WrappingKeySpec.',
    )
    expect(await metadata(gateway, KeyId)).toMatchObject({ KeyState: 'PendingImport' })
    expect(await labelled(KeyId)).toBe(0)
    await imported(gateway, KeyId, material, forever, { ...plainly, WrappingKeySpec: 'RSA_3072' })
    expect(await metadata(gateway, KeyId)).toMatchObject({ KeyState: 'Enabled' })
  })

  it('asked for many times at once leave one wrapping key', async () => {
    const KeyId = await created(gateway)
    const asked = Array.from({ length: 5 }, () => kms().getParametersForImport({ KeyId, ...plainly }))
    const keys = new Set((await Promise.all(asked)).map(({ PublicKey }) => Buffer.from(PublicKey!).toString('hex')))
    expect(keys.size).toBe(1)
    expect(await labelled(`strongroom wrapping key of ${KeyId.split('/')[1]}`)).toBe(1)
  })
})

describe.each<readonly [KeySpec, KeyUsageType]>([
  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  ['HMAC_512', 'GENERATE_VERIFY_MAC'],
  ['RSA_2048', 'SIGN_VERIFY'],
  ['ECC_NIST_P521', 'SIGN_VERIFY'],
  ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
])('key material of %s for %s', (spec, usage) => {
  it('is the same key, whatever the algorithm that wraps it, and stays the only one', async () => {
    const KeyId = await created(gateway, spec, usage)
    const material = newKeyBytes(spec)
    const ids = new Set<string | undefined>()
    const isLong = spec === 'ECC_NIST_P521'
    for (const WrappingAlgorithm of wrappingAlgorithmsOf(spec).filter(name => !isLong || name.startsWith('RSA_'))) {
      const answer = await imported(gateway, KeyId, material, forever, { ...plainly, WrappingAlgorithm })
      ids.add(answer.KeyMaterialId)
      await expectSameKey(KeyId, usage, material)
    }
    expect(ids.size).toBe(1)
    expect(ids.has(undefined)).toBe(spec !== 'SYMMETRIC_DEFAULT')
    expect(await metadata(gateway, KeyId)).toMatchObject({ KeyState: 'Enabled', KeySpec: spec })
    if (spec === 'SYMMETRIC_DEFAULT') return
    const other = await wrapped(gateway, KeyId, newKeyBytes(spec), way(spec))
    expect(await refusal(kms().importKeyMaterial({ ...other, ...forever }))).toMatch(/^IncorrectKeyMaterialException/)
    expect(await refusal(kms().importKeyMaterial({ ...other, ...isNew }))).toMatch(/^ValidationException: ImportType/)
  })
})

function way(spec: KeySpec) {
  return { ...plainly, WrappingAlgorithm: wrappingAlgorithmsOf(spec as 'RSA_2048').at(-1)! }
}

/** By what the key does. */
async function expectSameKey(KeyId: string, usage: KeyUsageType, material: Buffer): Promise<void> {
  if (usage === 'GENERATE_VERIFY_MAC') {
    const { MacAlgorithms } = await metadata(gateway, KeyId)
    const MacAlgorithm = MacAlgorithms![0]!
    const { Mac } = await kms().generateMac({ KeyId, MacAlgorithm, Message: text })
    const hash = MacAlgorithm.replace('HMAC_SHA_', 'sha')
    expect(Buffer.from(Mac!)).toEqual(createHmac(hash, material).update(text).digest())
  }
  if (usage !== 'SIGN_VERIFY') return
  const publicKey = createPublicKey(createPrivateKey({ key: material, format: 'der', type: 'pkcs8' }))
  const { PublicKey, SigningAlgorithms } = await kms().getPublicKey({ KeyId })
  expect(Buffer.from(PublicKey!)).toEqual(publicKey.export({ format: 'der', type: 'spki' }))
  const SigningAlgorithm = SigningAlgorithms![0]!
  const { Signature } = await kms().sign({ KeyId, SigningAlgorithm, Message: text })
  const hash = /SHA_(\d+)/.exec(SigningAlgorithm)![1]
  expect(verify(`sha${hash}`, text, publicKey, Signature!)).toBe(true)
}

describe('what is refused', () => refusals(() => gateway))

describe('an imported multi-Region key', () => multiRegionImports(() => gateway))
