import { currentMaterial } from '../../model/key.ts'
import { encryptBlob } from '../ciphertexts.ts'
import { operation } from '../operation.ts'
import { keyForUse } from '../targets.ts'

export const encrypt = operation('Encrypt')({
  readOnly: true,
  target: keyForUse('ENCRYPT_DECRYPT'),
  recorded: ['KeyId', 'EncryptionAlgorithm', 'EncryptionContext', 'DryRun'],
  async run({ input, target: { key }, hsms }) {
    return {
      KeyId: key.arn,
      CiphertextBlob: await encryptBlob(hsms, currentMaterial(key), input.Plaintext, input.EncryptionContext),
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    }
  },
})
