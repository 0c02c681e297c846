import { Failure } from '../../../errors.ts'
import { held } from '../../../vault/materials.ts'
import { signingKey } from '../key-use.ts'
import { operation } from '../operation.ts'

export const verify = operation('Verify')({
  readOnly: true,
  target: signingKey,
  conditionKeys: {
    'kms:MessageType': ({ input: { MessageType = 'RAW' } }) => MessageType,
    'kms:SigningAlgorithm': ({ input }) => input.SigningAlgorithm,
  },
  recorded: ['KeyId', 'MessageType', 'SigningAlgorithm', 'DryRun'],
  async run({ input, target: { key }, hsms }) {
    const { Message, MessageType = 'RAW', Signature, SigningAlgorithm } = input
    const { hsm, hsmKey } = held(hsms, key)
    const valid = await hsm.verify(hsmKey, SigningAlgorithm, MessageType, Message, Signature)
    if (!valid) throw new Failure('InvalidSignature')
    return { KeyId: key.arn, SignatureValid: true, SigningAlgorithm }
  },
})
