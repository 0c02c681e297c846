import { createDataKey } from '../data-keys.ts'
import { operation } from '../operation.ts'
import { keyForUse } from '../targets.ts'

export const generateDataKey = operation('GenerateDataKey')({
  readOnly: true,
  target: keyForUse('ENCRYPT_DECRYPT'),
  recorded: ['KeyId', 'KeySpec', 'NumberOfBytes', 'EncryptionContext', 'DryRun'],
  async run({ input, target: { key }, hsms }) {
    const { plaintext, blob, material } = await createDataKey(hsms, key, input)
    return { KeyId: key.arn, Plaintext: plaintext, CiphertextBlob: blob, KeyMaterialId: material.id }
  },
})
