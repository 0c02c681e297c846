import { createDataKeyPair } from '../../../vault/data-keys.ts'
import { encryptionConditionKeys } from '../encryption-condition-keys.ts'
import { dataKeyPairEncryptionKey } from '../key-use.ts'
import { operation } from '../operation.ts'

export const generateDataKeyPairWithoutPlaintext = operation('GenerateDataKeyPairWithoutPlaintext')({
  readOnly: true,
  target: dataKeyPairEncryptionKey,
  conditionKeys: {
    ...encryptionConditionKeys,
    'kms:DataKeyPairSpec': ({ input }) => input.KeyPairSpec,
  },
  recorded: ['KeyId', 'KeyPairSpec', 'EncryptionContext', 'DryRun'],
  async run({ input, target: { key }, storage, hsms, externalKeys }) {
    const { publicKey, plaintext, blob, material } = await createDataKeyPair(
      { storage, hsms, externalKeys },
      key,
      input,
    )
    plaintext.fill(0)
    return {
      KeyId: key.arn,
      KeyMaterialId: material.id,
      KeyPairSpec: input.KeyPairSpec,
      PrivateKeyCiphertextBlob: blob,
      PublicKey: publicKey,
    }
  },
})
