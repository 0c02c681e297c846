import { createDataKey } from '../../../vault/data-keys.ts'
import { encryptionConditionKeys } from '../encryption-condition-keys.ts'
import { dataKeyEncryptionKey } from '../key-use.ts'
import { operation } from '../operation.ts'

export const generateDataKeyWithoutPlaintext = operation('GenerateDataKeyWithoutPlaintext')({
  readOnly: true,
  target: dataKeyEncryptionKey,
  conditionKeys: encryptionConditionKeys,
  recorded: ['KeyId', 'KeySpec', 'NumberOfBytes', 'EncryptionContext', 'DryRun'],
  async run({ input, target: { key }, storage, hsms, externalKeys }) {
    const { plaintext, blob, material } = await createDataKey({ storage, hsms, externalKeys }, key, input)
    plaintext.fill(0)
    return { KeyId: key.arn, CiphertextBlob: blob, KeyMaterialId: material.id }
  },
})
