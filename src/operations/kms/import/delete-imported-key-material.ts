import { Failure } from '../../../errors.ts'
import { materialsOf } from '../../../model/keys/key.ts'
import { keySpecs } from '../../../model/keys/key-spec.ts'
import { removeImported } from '../../../vault/imported-material.ts'
import { operation } from '../operation.ts'
import { key } from '../targets.ts'

export const deleteImportedKeyMaterial = operation('DeleteImportedKeyMaterial')({
  readOnly: false,
  target: key({ origin: 'EXTERNAL', state: 'deleteMaterial' }),
  recorded: ['KeyId', 'KeyMaterialId'],
  recordedOutput: ['KeyId', 'KeyMaterialId'],
  async run({ input: { KeyMaterialId }, target: { key }, storage, changes }) {
    const id = KeyMaterialId ?? key.materials.at(-1)?.id
    const material = materialsOf(key).find(other => other.id === id)
    if (KeyMaterialId !== undefined && material === undefined) {
      throw new Failure('NotFound', `Key material ${KeyMaterialId} is not associated with the KMS key ${key.arn}.`)
    }
    if (material) removeImported(changes, key, material, storage)
    return { KeyId: key.arn, ...(material && keySpecs[key.spec].type === 'symmetric' && { KeyMaterialId: id }) }
  },
})
