import { decryptBlob } from '../ciphertexts.ts'
import { operation } from '../operation.ts'
import { ciphertext } from '../targets.ts'

export const decrypt = operation('Decrypt')({
  readOnly: true,
  target: ciphertext,
  recorded: ['KeyId', 'EncryptionAlgorithm', 'EncryptionContext', 'DryRun', 'DryRunModifiers'],
  async run({ input, target: { key, material }, hsms }) {
    return {
      KeyId: key.arn,
      KeyMaterialId: material.id,
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      Plaintext: await decryptBlob(hsms, material, input.CiphertextBlob!, input.EncryptionContext),
    }
  },
})
