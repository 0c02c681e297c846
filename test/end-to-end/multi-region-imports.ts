/** Imported multi-Region keys: what docs/import.md says of them, in two Regions on one HSM. */
import { createHmac, randomBytes } from 'node:crypto'
import type { KeySpec, KeyUsageType, RotationsListEntry } from '@aws-sdk/client-kms'
import { expect, it } from 'vitest'
import { newKeyBytes } from '../contracts/hsm-imports.ts'
import type { RunningGateway } from '../state-machine/running-gateway.ts'
import { clientFor, forever, imported, metadata, plainly, wrapped } from './imports.ts'
import { refusal } from './requests.ts'
import { objectsOn } from './token-objects.ts'

const [second, hour] = [1000, 3_600_000]
const text = Buffer.from('a secret that is not one')
const [home, elsewhere, third] = ['us-east-1', 'eu-west-1', 'ap-southeast-2'] as const
const isNew = { ...forever, ImportType: 'NEW_KEY_MATERIAL' } as const
const isKnown = { ...forever, ImportType: 'EXISTING_KEY_MATERIAL' } as const
const incorrect = /^IncorrectKeyMaterialException/

export function multiRegionImports(running: () => RunningGateway): void {
  const kms = (region?: string) => running().kmsIn(region)
  const rawImport = (KeyId: string, material: Buffer, rest: object = forever) =>
    imported(running(), KeyId, material, rest)
  const state = async (arn: string) => (await metadata(running(), arn)).KeyState
  const encrypted = async (KeyId: string) =>
    (await clientFor(running(), KeyId).encrypt({ KeyId, Plaintext: text })).CiphertextBlob!
  const opened = (CiphertextBlob: Uint8Array, region: string) => refusal(kms(region).decrypt({ CiphertextBlob }))
  const objectsOfKey = async (id: string) =>
    (await objectsOn(running().installation)).filter(object => object.label.includes(`/${id}`))

  async function primary(KeySpec: KeySpec = 'SYMMETRIC_DEFAULT', KeyUsage: KeyUsageType = 'ENCRYPT_DECRYPT') {
    const { KeyMetadata } = await kms().createKey({ Origin: 'EXTERNAL', MultiRegion: true, KeySpec, KeyUsage })
    return KeyMetadata!.Arn!
  }

  async function replicated(KeyId: string, ReplicaRegion: string = elsewhere) {
    const { ReplicaKeyMetadata } = await clientFor(running(), KeyId).replicateKey({ KeyId, ReplicaRegion })
    return ReplicaKeyMetadata!.Arn!
  }

  async function rotations(KeyId: string): Promise<readonly RotationsListEntry[]> {
    const all = { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' } as const
    return (await clientFor(running(), KeyId).listKeyRotations(all)).Rotations!
  }
  const states = async (KeyId: string) =>
    (await rotations(KeyId)).map(({ KeyMaterialState, ImportState }) => `${KeyMaterialState} ${ImportState}`)

  async function pass(milliseconds: number): Promise<void> {
    const { time } = running()
    await time.moveTo(time.now + milliseconds)
    for (let times = 0; times < 2; times++) await time.moveTo(time.now + 2 * second)
  }

  /** Each test goes on with the keys as the one before leaves them: with this material, and later with the next. */
  const [first, next] = [randomBytes(32), randomBytes(32)]
  let arn: string
  let replica: string
  let later: string

  it('waits in each Region for the same material, which has the same id and an object of its own there', async () => {
    arn = await primary()
    expect(await refusal(replicated(arn))).toBe(`KMSInvalidStateException: ${arn} is pending import.`)
    const { KeyMaterialId } = await rawImport(arn, first)
    replica = await replicated(arn)
    expect(await metadata(running(), replica)).toMatchObject({
      KeyState: 'PendingImport',
      CurrentKeyMaterialId: KeyMaterialId,
    })
    expect(await states(replica)).toEqual(['CURRENT PENDING_IMPORT'])
    const blob = await encrypted(arn)
    expect(await opened(blob, elsewhere)).toBe(`KMSInvalidStateException: ${replica} is pending import.`)
    for (const other of [forever, isKnown])
      expect(await refusal(rawImport(replica, randomBytes(32), other))).toMatch(incorrect)
    expect(await refusal(rawImport(replica, first, isNew))).toBe(
      `UnsupportedOperationException: ${replica} is not a multi-region primary key.`,
    )
    const token = await wrapped(running(), arn, first)
    const foreign = kms(elsewhere).importKeyMaterial({ ...token, KeyId: replica, ...forever })
    expect(await refusal(foreign)).toBe('InvalidImportTokenException')
    expect(await rawImport(replica, first)).toMatchObject({ KeyId: replica, KeyMaterialId })
    expect([await opened(blob, elsewhere), await opened(await encrypted(replica), home)]).toEqual(
      Array(2).fill('no refusal'),
    )
    const objects = (await objectsOfKey(arn.split('/')[1]!)).filter(object => !object.label.includes('wrapping'))
    expect(new Set(objects.map(({ id }) => id)).size).toBe(2)
  })

  it('expires, and is deleted, in one Region only', async () => {
    const blob = await encrypted(arn)
    const ValidTo = new Date(running().time.now + hour)
    await rawImport(replica, first, { ValidTo })
    expect(await metadata(running(), arn)).toMatchObject({ ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' })
    await pass(hour)
    expect([await state(arn), await state(replica)]).toEqual(['Enabled', 'PendingImport'])
    expect(await opened(blob, home)).toBe('no refusal')
    await rawImport(replica, first)
    await kms().deleteImportedKeyMaterial({ KeyId: arn })
    expect([await state(arn), await state(replica)]).toEqual(['PendingImport', 'Enabled'])
    expect(await opened(blob, elsewhere)).toBe('no refusal')
    await pass(2 * second)
    expect(await opened(blob, elsewhere)).toBe('no refusal')
    await rawImport(arn, first)
    expect(await opened(blob, home)).toBe('no refusal')
  })

  it('forgets what is pending in every Region when it is deleted from the primary key, and nowhere else from a replica', async () => {
    const id = arn.split('/')[1]!
    const before = (await objectsOfKey(id)).length
    const { KeyMaterialId } = await rawImport(arn, next, isNew)
    await rawImport(replica, next)
    await kms(elsewhere).deleteImportedKeyMaterial({ KeyId: replica, KeyMaterialId })
    expect((await states(replica)).at(-1)).toBe('PENDING_MULTI_REGION_IMPORT_AND_ROTATION PENDING_IMPORT')
    expect((await states(arn)).at(-1)).toBe('PENDING_MULTI_REGION_IMPORT_AND_ROTATION IMPORTED')
    await rawImport(replica, next)
    await kms().deleteImportedKeyMaterial({ KeyId: arn, KeyMaterialId })
    expect([await states(arn), await states(replica)]).toEqual(Array(2).fill(['CURRENT IMPORTED']))
    expect(await refusal(rawImport(replica, next))).toMatch(incorrect)
    await pass(2 * second)
    expect((await objectsOfKey(id)).length).toBe(before)
    expect([await state(arn), await state(replica)]).toEqual(['Enabled', 'Enabled'])
  })

  it('is rotated once every Region has the pending material, and by its primary key only', async () => {
    const blob = await encrypted(replica)
    const { KeyMaterialId } = await rawImport(arn, next, isNew)
    const awaited = 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION'
    expect(await states(arn)).toEqual(['CURRENT IMPORTED', `${awaited} IMPORTED`])
    expect(await states(replica)).toEqual(['CURRENT IMPORTED', `${awaited} PENDING_IMPORT`])
    expect(await refusal(kms().rotateKeyOnDemand({ KeyId: arn }))).toBe(
      `KMSInvalidStateException: ${arn} cannot be rotated to key material (id: ${KeyMaterialId}) before that is imported into its multi-Region keys in: ${elsewhere}.`,
    )
    expect(await refusal(rawImport(replica, randomBytes(32), isKnown))).toMatch(incorrect)
    await rawImport(replica, next, { ...isKnown, KeyMaterialId })
    expect([await states(arn), await states(replica)]).toEqual(
      Array(2).fill(['CURRENT IMPORTED', 'PENDING_ROTATION IMPORTED']),
    )
    expect(await refusal(kms(elsewhere).rotateKeyOnDemand({ KeyId: replica }))).toMatch(
      /^UnsupportedOperationException/,
    )
    await kms().rotateKeyOnDemand({ KeyId: arn })
    const rotated = ['NON_CURRENT IMPORTED', 'CURRENT IMPORTED']
    expect([await states(arn), await states(replica)]).toEqual([rotated, rotated])
    later = await replicated(arn, third)
    expect(await states(later)).toEqual(['NON_CURRENT PENDING_IMPORT', 'CURRENT PENDING_IMPORT'])
    await rawImport(later, next)
    expect(await opened(await encrypted(arn), third)).toBe(`KMSInvalidStateException: ${later} is pending import.`)
    await rawImport(later, first)
    for (const region of [home, elsewhere, third])
      for (const each of [blob, await encrypted(arn), await encrypted(later)])
        expect(await opened(each, region)).toBe('no refusal')
  })

  it('keeps its imports when another key becomes the primary one, which then takes new material', async () => {
    const last = randomBytes(32)
    const { KeyMaterialId } = await rawImport(arn, last, isNew)
    await kms().updatePrimaryRegion({ KeyId: arn, PrimaryRegion: elsewhere })
    expect((await states(replica)).at(-1)).toBe('PENDING_MULTI_REGION_IMPORT_AND_ROTATION PENDING_IMPORT')
    expect(await refusal(rawImport(arn, randomBytes(32), isNew))).toMatch(/^UnsupportedOperationException/)
    // Though the new primary key does not have it, it decides what is pending.
    await kms(elsewhere).deleteImportedKeyMaterial({ KeyId: replica, KeyMaterialId })
    for (const key of [arn, replica, later]) expect((await states(key)).at(-1)).toBe('CURRENT IMPORTED')
    await rawImport(replica, last, isNew)
    for (const key of [arn, later]) await rawImport(key, last, isKnown)
    await kms(elsewhere).rotateKeyOnDemand({ KeyId: replica })
    for (const region of [home, third]) expect(await opened(await encrypted(replica), region)).toBe('no refusal')
  })

  it.each<readonly [KeySpec, KeyUsageType]>([
    ['HMAC_256', 'GENERATE_VERIFY_MAC'],
    ['ECC_NIST_P256', 'SIGN_VERIFY'],
  ])('of %s is the same key in each Region', async (spec, usage) => {
    const arn = await primary(spec, usage)
    const [material, other] = [newKeyBytes(spec), newKeyBytes(spec)]
    const way = spec.startsWith('ECC')
      ? { ...plainly, WrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256' as const }
      : plainly
    await imported(running(), arn, material, forever, way)
    const replica = await replicated(arn)
    expect(await refusal(imported(running(), replica, other, forever, way))).toMatch(incorrect)
    await imported(running(), replica, material, forever, way)
    expect(await state(replica)).toBe('Enabled')
    if (usage === 'GENERATE_VERIFY_MAC') {
      const mac = { MacAlgorithm: 'HMAC_SHA_256', Message: text } as const
      const { Mac } = await kms(elsewhere).generateMac({ KeyId: replica, ...mac })
      expect(Buffer.from(Mac!)).toEqual(createHmac('sha256', material).update(text).digest())
      return
    }
    const signed = { SigningAlgorithm: 'ECDSA_SHA_256', Message: text } as const
    const { Signature } = await kms().sign({ KeyId: arn, ...signed })
    expect(await kms(elsewhere).verify({ KeyId: replica, Signature, ...signed })).toMatchObject({
      SignatureValid: true,
    })
  })
}
