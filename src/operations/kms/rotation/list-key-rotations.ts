import type { RotationsListEntry } from '@aws-sdk/client-kms'
import { Failure } from '../../../errors.ts'
import { regionsWithoutPending } from '../../../model/keys/imported-material.ts'
import { type Key, type KeyMaterial, materialsOf } from '../../../model/keys/key.ts'
import { keySpecs } from '../../../model/keys/key-spec.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { key } from '../targets.ts'

/** Oldest first. */
export const listKeyRotations = operation('ListKeyRotations')({
  readOnly: true,
  target: key({
    state: 'view',
    fits: ({ spec }) => {
      if (keySpecs[spec].type !== 'symmetric') throw new Failure('UnsupportedOperation')
    },
  }),
  recorded: ['KeyId', 'IncludeKeyMaterial', 'Limit', 'Marker'],
  async run({ input, target: { key }, caller, storage }) {
    const { IncludeKeyMaterial = 'ROTATIONS_ONLY' } = input
    const all = materialsOf(key)
    const listed = IncludeKeyMaterial === 'ALL_KEY_MATERIAL' ? all : all.filter(({ rotation }) => rotation)
    const { records, ...rest } = await page<KeyMaterial>(
      input,
      { ordinary: 100, maximum: 1000 },
      scopeOf('ListKeyRotations', caller, key.id, IncludeKeyMaterial),
      material => material.id,
      after => listed.slice(listed.findIndex(({ id }) => id === after) + 1),
    )
    const awaited = regionsWithoutPending([key, ...storage.keys.related(key)])
    return { Rotations: records.map(material => entryOf(key, material, awaited)), ...rest }
  },
})

/**
 * KMS API Reference, "RotationsListEntry".
 *
 * @param awaited regions that the material pending rotation is still to be imported into
 */
function entryOf(key: Key, material: KeyMaterial, awaited: readonly string[]): RotationsListEntry {
  const { id, rotation } = material
  return {
    KeyId: key.arn,
    KeyMaterialId: id,
    KeyMaterialState: stateOf(key, material, awaited),
    ...(key.origin === 'EXTERNAL' && importOf(material)),
    ...(rotation && { RotationDate: new Date(rotation.date), RotationType: rotation.type }),
  }
}

function stateOf(
  { materials, pendingMaterial }: Key,
  { id }: KeyMaterial,
  awaited: readonly string[],
): RotationsListEntry['KeyMaterialState'] {
  if (id === pendingMaterial?.id)
    return awaited.length === 0 ? 'PENDING_ROTATION' : 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION'
  return id === materials.at(-1)?.id ? 'CURRENT' : 'NON_CURRENT'
}

/** Material that is not there has no expiry. */
function importOf({ object, imported }: KeyMaterial): Partial<RotationsListEntry> {
  const { description, validTo } = imported ?? {}
  const expiry: Partial<RotationsListEntry> =
    validTo === undefined
      ? { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }
      : { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: new Date(validTo) }
  return {
    ...(description !== undefined && { KeyMaterialDescription: description }),
    ImportState: object ? 'IMPORTED' : 'PENDING_IMPORT',
    ...(object && expiry),
  }
}
