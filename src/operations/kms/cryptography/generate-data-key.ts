import { createDataKey } from '../../../vault/data-keys.ts'
import { encryptionConditionKeys } from '../encryption-condition-keys.ts'
import { dataKeyEncryptionKey } from '../key-use.ts'
import { operation } from '../operation.ts'

export const generateDataKey = operation('GenerateDataKey')({
  readOnly: true,
  target: dataKeyEncryptionKey,
  conditionKeys: encryptionConditionKeys,
  recorded: ['KeyId', 'KeySpec', 'NumberOfBytes', 'EncryptionContext', 'DryRun'],
  async run({ input, target: { key }, storage, hsms, externalKeys }) {
    const { plaintext, blob, material } = await createDataKey({ storage, hsms, externalKeys }, key, input)
    return { KeyId: key.arn, Plaintext: plaintext, CiphertextBlob: blob, KeyMaterialId: material.id }
  },
})
