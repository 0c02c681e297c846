import { decryptWith } from '../../../vault/ciphertexts.ts'
import { ciphertext } from '../ciphertext-targets.ts'
import { encryptionConditionKeys } from '../encryption-condition-keys.ts'
import { operation } from '../operation.ts'

export const decrypt = operation('Decrypt')({
  readOnly: true,
  target: ciphertext,
  conditionKeys: encryptionConditionKeys,
  recorded: ['KeyId', 'EncryptionAlgorithm', 'EncryptionContext', 'DryRun', 'DryRunModifiers'],
  recordedDefaults: () => ({ EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }),
  async run({ input, target, hsms, externalKeys }) {
    const { key, material, algorithm } = target
    return {
      KeyId: key.arn,
      ...(algorithm === 'SYMMETRIC_DEFAULT' && { KeyMaterialId: material.id }),
      EncryptionAlgorithm: algorithm,
      Plaintext: await decryptWith({ hsms, externalKeys }, target, input.CiphertextBlob!, input.EncryptionContext),
    }
  },
})
