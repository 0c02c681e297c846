import { currentMaterial } from '../../../model/keys/key.ts'
import { checkPlaintextLength } from '../../../model/keys/plaintext-limit.ts'
import { decryptWith, encryptWith } from '../../../vault/ciphertexts.ts'
import type { Target } from '../../operation.ts'
import { reEncryption } from '../ciphertext-targets.ts'
import { encryptionConditions } from '../encryption-condition-keys.ts'
import { type Input, operation } from '../operation.ts'

export const reEncrypt = operation('ReEncrypt')({
  readOnly: true,
  target: reEncryption,
  conditionKeys: {
    ...encryptionConditions(encryptionOf),
    'kms:ReEncryptOnSameKey': ({ target: { source, destination }, asMissing }) =>
      resourceOf(source, asMissing) === resourceOf(destination, asMissing),
  },
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
  recordedDefaults: () => ({
    SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
  }),
  async run({ input, target: { source, destination, destinationAlgorithm: algorithm }, storage, hsms, externalKeys }) {
    const { key } = destination
    const plaintext = await decryptWith(
      { hsms, externalKeys },
      source,
      input.CiphertextBlob!,
      input.SourceEncryptionContext,
    )
    try {
      checkPlaintextLength(key.spec, algorithm, plaintext.length)
      return {
        CiphertextBlob: await encryptWith(
          { storage, hsms, externalKeys },
          key,
          algorithm,
          plaintext,
          input.DestinationEncryptionContext,
        ),
        KeyId: key.arn,
        SourceKeyId: source.key.arn,
        ...(source.algorithm === 'SYMMETRIC_DEFAULT' && { SourceKeyMaterialId: source.material.id }),
        ...(algorithm === 'SYMMETRIC_DEFAULT' && { DestinationKeyMaterialId: currentMaterial(key).id }),
        SourceEncryptionAlgorithm: source.algorithm,
        DestinationEncryptionAlgorithm: algorithm,
      }
    } finally {
      plaintext.fill(0)
    }
  },
})

/** The key, or what the request names it by. */
function resourceOf({ permissions }: Target, asMissing: boolean): string {
  const { resource, asMissing: missing } = permissions[0]!
  return (asMissing && missing?.resource) || resource
}

/** Both permissions are decided by what is done with their key. */
function encryptionOf({ input, action }: { readonly input: Input<'ReEncrypt'>; readonly action: string }) {
  return action === 'ReEncryptFrom'
    ? { EncryptionAlgorithm: input.SourceEncryptionAlgorithm, EncryptionContext: input.SourceEncryptionContext }
    : {
        EncryptionAlgorithm: input.DestinationEncryptionAlgorithm,
        EncryptionContext: input.DestinationEncryptionContext,
      }
}
