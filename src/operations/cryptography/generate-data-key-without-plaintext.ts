import { createDataKey } from '../data-keys.ts'
import { operation } from '../operation.ts'
import { keyForUse } from '../targets.ts'

export const generateDataKeyWithoutPlaintext = operation('GenerateDataKeyWithoutPlaintext')({
  readOnly: true,
  target: keyForUse('ENCRYPT_DECRYPT'),
  recorded: ['KeyId', 'KeySpec', 'NumberOfBytes', 'EncryptionContext', 'DryRun'],
  async run({ input, target: { key }, hsms }) {
    const { blob, material } = await createDataKey(hsms, key, input)
    return { KeyId: key.arn, CiphertextBlob: blob, KeyMaterialId: material.id }
  },
})
