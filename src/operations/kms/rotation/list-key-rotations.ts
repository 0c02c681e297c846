import { Failure } from '../../../errors.ts'
import type { KeyMaterial } from '../../../model/keys/key.ts'
import { keySpecs } from '../../../model/keys/key-spec.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { key } from '../targets.ts'

/** This gateway cannot rotate keys yet: each key has its initial material only. */
export const listKeyRotations = operation('ListKeyRotations')({
  readOnly: true,
  target: key({
    state: 'view',
    fits: ({ spec }) => {
      if (keySpecs[spec].type !== 'symmetric') throw new Failure('UnsupportedOperation')
    },
  }),
  recorded: ['KeyId', 'IncludeKeyMaterial', 'Limit', 'Marker'],
  async run({ input, target: { key }, caller }) {
    const { IncludeKeyMaterial = 'ROTATIONS_ONLY' } = input
    const listed = IncludeKeyMaterial === 'ALL_KEY_MATERIAL' ? key.materials : []
    const { records, ...rest } = await page<KeyMaterial>(
      input,
      { ordinary: 100, maximum: 1000 },
      scopeOf('ListKeyRotations', caller, key.id, IncludeKeyMaterial),
      material => material.id,
      after => listed.slice(listed.findIndex(({ id }) => id === after) + 1),
    )
    const Rotations = records.map(({ id }) => {
      return { KeyId: key.arn, KeyMaterialId: id, KeyMaterialState: 'CURRENT' as const }
    })
    return { Rotations, ...rest }
  },
})
