import { currentMaterial } from '../../model/key.ts'
import { decryptBlob, encryptBlob } from '../ciphertexts.ts'
import { operation } from '../operation.ts'
import { reEncryption } from '../targets.ts'

export const reEncrypt = operation('ReEncrypt')({
  readOnly: true,
  target: reEncryption,
  recorded: [
    'SourceKeyId',
    'SourceEncryptionAlgorithm',
    'SourceEncryptionContext',
    'DestinationKeyId',
    'DestinationEncryptionAlgorithm',
    'DestinationEncryptionContext',
    'DryRun',
    'DryRunModifiers',
  ],
  async run({ input, target: { source, destination }, hsms }) {
    const material = currentMaterial(destination.key)
    const plaintext = await decryptBlob(hsms, source.material, input.CiphertextBlob!, input.SourceEncryptionContext)
    return {
      CiphertextBlob: await encryptBlob(hsms, material, plaintext, input.DestinationEncryptionContext),
      KeyId: destination.key.arn,
      SourceKeyId: source.key.arn,
      SourceKeyMaterialId: source.material.id,
      DestinationKeyMaterialId: material.id,
      SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    }
  },
})
