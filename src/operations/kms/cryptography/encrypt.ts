import { encryptWith } from '../../../vault/ciphertexts.ts'
import { encryptionConditionKeys } from '../encryption-condition-keys.ts'
import { encryptionKey } from '../key-use.ts'
import { operation } from '../operation.ts'

export const encrypt = operation('Encrypt')({
  readOnly: true,
  target: encryptionKey,
  conditionKeys: encryptionConditionKeys,
  recorded: ['KeyId', 'EncryptionAlgorithm', 'EncryptionContext', 'DryRun'],
  recordedDefaults: () => ({ EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }),
  async run({ input, target: { key }, storage, hsms, externalKeys }) {
    const { EncryptionAlgorithm = 'SYMMETRIC_DEFAULT', Plaintext, EncryptionContext } = input
    return {
      KeyId: key.arn,
      CiphertextBlob: await encryptWith(
        { storage, hsms, externalKeys },
        key,
        EncryptionAlgorithm,
        Plaintext,
        EncryptionContext,
      ),
      EncryptionAlgorithm,
    }
  },
})
