import type { RotationsListEntry } from '@aws-sdk/client-kms'
import { describe, expect, it } from 'vitest'
import type { Key, KeyMaterial } from '../../../src/model/keys/key.ts'
import type { Input } from '../../../src/operations/kms/operation.ts'
import { listKeyRotations } from '../../../src/operations/kms/rotation/list-key-rotations.ts'
import { rotateKeyOnDemand } from '../../../src/operations/kms/rotation/rotate-key-on-demand.ts'
import { Changes } from '../../../src/storage/storage.ts'
import { rotate } from '../../../src/vault/rotation.ts'
import { aUser } from '../../authorization/users.ts'
import { account, aKey, aMaterial, region } from '../../storage/records.ts'

/** Without related keys. */
const storage = { keys: { related: () => [] } } as never
const caller = { ...aUser(`arn:aws:iam::${account}:user/alice`, []), region }

/** The entries, without what they have in common. */
async function entries(key: Key, input: Partial<Input<'ListKeyRotations'>> = {}): Promise<object[]> {
  const context = { input: { KeyId: key.id, ...input }, target: { key }, caller, storage }
  const { Rotations } = (await listKeyRotations.run(context as never)) as { readonly Rotations: RotationsListEntry[] }
  return Rotations.map(({ KeyId, ...entry }) => {
    expect(KeyId).toBe(key.arn)
    return entry
  })
}

const date = 1_700_000_000_000
const onDemand = { rotation: { type: 'ON_DEMAND', date } } as const
const rotatedOnDemand = { RotationType: 'ON_DEMAND', RotationDate: new Date(date) }
const all = { IncludeKeyMaterial: 'ALL_KEY_MATERIAL' } as const
const forever = { ImportState: 'IMPORTED', ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }

function aKeyOf(materials: readonly KeyMaterial[], rest: Partial<Key> = {}): Key {
  return aKey(1, { origin: 'EXTERNAL', materials, ...rest })
}

describe('the rotations of an imported key', () => {
  it('are listed with the state of each material, the first and the pending one on request', async () => {
    const key = aKeyOf(
      [
        { ...aMaterial(1), object: undefined, imported: { description: 'the first' } },
        { ...aMaterial(2), ...onDemand, imported: { validTo: date + 5 } },
        { ...aMaterial(3), ...onDemand, imported: {} },
      ],
      { pendingMaterial: { ...aMaterial(4), imported: { description: 'the next', validTo: date } } },
    )
    const KeyMaterialId = (number: number) => aMaterial(number).id
    const rotations = [
      {
        KeyMaterialId: KeyMaterialId(2),
        KeyMaterialState: 'NON_CURRENT',
        ImportState: 'IMPORTED',
        ExpirationModel: 'KEY_MATERIAL_EXPIRES',
        ValidTo: new Date(date + 5),
        ...rotatedOnDemand,
      },
      { KeyMaterialId: KeyMaterialId(3), KeyMaterialState: 'CURRENT', ...forever, ...rotatedOnDemand },
    ]
    expect(await entries(key)).toEqual(rotations)
    expect(await entries(key, all)).toEqual([
      {
        KeyMaterialId: KeyMaterialId(1),
        KeyMaterialState: 'NON_CURRENT',
        KeyMaterialDescription: 'the first',
        ImportState: 'PENDING_IMPORT',
      },
      ...rotations,
      {
        KeyMaterialId: KeyMaterialId(4),
        KeyMaterialState: 'PENDING_ROTATION',
        KeyMaterialDescription: 'the next',
        ImportState: 'IMPORTED',
        ExpirationModel: 'KEY_MATERIAL_EXPIRES',
        ValidTo: new Date(date),
      },
    ])
  })

  it('are none before the first import and before the first rotation', async () => {
    expect(await entries(aKeyOf([]), all)).toEqual([])
    const key = aKeyOf([{ ...aMaterial(1), imported: {} }])
    expect(await entries(key)).toEqual([])
    expect(await entries(key, all)).toEqual([
      { KeyMaterialId: aMaterial(1).id, KeyMaterialState: 'CURRENT', ...forever },
    ])
  })
})

it('an imported key is rotated to its pending material, and never to new material of the HSM', async () => {
  const pendingMaterial = { ...aMaterial(2), imported: { description: 'the next' } }
  const key = aKeyOf([{ ...aMaterial(1), imported: {} }], { pendingMaterial })
  const changes = new Changes()
  const means = { hsms: undefined as never, storage, changes }
  const after = await rotate(key, 'ON_DEMAND', date, means)
  expect(after.materials).toEqual([key.materials[0], { ...pendingMaterial, ...onDemand }])
  expect(after.pendingMaterial).toBeUndefined()
  expect(changes.created).toEqual([])
  for (const without of [undefined, { ...pendingMaterial, object: undefined }]) {
    const text = `No available key material pending rotation for the key: ${key.arn}.`
    const rotation = rotate({ ...key, pendingMaterial: without }, 'ON_DEMAND', date, means)
    await expect(rotation).rejects.toMatchObject({ code: 'InvalidState', message: text })
  }
})

describe('a rotation on demand', () => {
  const minute = 60_000

  /** Of a key that has a pending material, whose next automatic rotation is so many milliseconds away. */
  async function outcome(until: number, rest: Partial<Key> = {}): Promise<string> {
    const automaticRotation = { periodInDays: 90, nextDate: date + until }
    const pendingMaterial = { ...aMaterial(2), imported: {} }
    const key = aKeyOf([{ ...aMaterial(1), imported: {} }], { pendingMaterial, automaticRotation, ...rest })
    const context = { target: { key }, storage, changes: new Changes(), clock: () => date, maxOnDemandRotations: 1 }
    const running = rotateKeyOnDemand.run(context as never)
    return running.then(
      () => 'rotated',
      ({ code }: { readonly code: string }) => code,
    )
  }

  it.each([
    [20 * minute + 1, 'rotated'],
    [20 * minute, 'Conflict'],
    [1, 'Conflict'],
    // Overdue: it may be waiting for the clock.
    [0, 'rotated'],
    [-1000 * minute, 'rotated'],
  ])('%i ms before an automatic one: %s', async (until, expected) => {
    expect(await outcome(until)).toBe(expected)
  })

  it('counts towards the limit, as automatic ones do not', async () => {
    const rotation = (type: 'AUTOMATIC' | 'ON_DEMAND') => ({ ...aMaterial(3), rotation: { type, date } })
    expect(await outcome(0, { materials: [aMaterial(1), rotation('AUTOMATIC')] })).toBe('rotated')
    expect(await outcome(0, { materials: [aMaterial(1), rotation('ON_DEMAND')] })).toBe('LimitExceeded')
  })
})
