import { held } from '../../../vault/materials.ts'
import { keyAgreementKey } from '../key-use.ts'
import { operation } from '../operation.ts'

export const deriveSharedSecret = operation('DeriveSharedSecret')({
  readOnly: true,
  target: keyAgreementKey,
  conditionKeys: { 'kms:KeyAgreementAlgorithm': ({ input }) => input.KeyAgreementAlgorithm },
  recorded: ['KeyId', 'KeyAgreementAlgorithm', 'DryRun'],
  async run({ input: { KeyAgreementAlgorithm, PublicKey }, target: { key }, hsms }) {
    const { hsm, hsmKey } = held(hsms, key)
    return {
      KeyId: key.arn,
      KeyAgreementAlgorithm,
      KeyOrigin: key.origin,
      SharedSecret: await hsm.deriveSharedSecret(hsmKey, PublicKey),
    }
  },
})
