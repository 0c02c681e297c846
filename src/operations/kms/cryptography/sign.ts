import { held } from '../../../vault/materials.ts'
import { signingKey } from '../key-use.ts'
import { operation } from '../operation.ts'

export const sign = operation('Sign')({
  readOnly: true,
  target: signingKey,
  conditionKeys: {
    'kms:MessageType': ({ input: { MessageType = 'RAW' } }) => MessageType,
    'kms:SigningAlgorithm': ({ input }) => input.SigningAlgorithm,
  },
  recorded: ['KeyId', 'MessageType', 'SigningAlgorithm', 'DryRun'],
  async run({ input, target: { key }, hsms }) {
    const { Message, MessageType = 'RAW', SigningAlgorithm } = input
    const { hsm, hsmKey } = held(hsms, key)
    const Signature = await hsm.sign(hsmKey, SigningAlgorithm, MessageType, Message)
    return { KeyId: key.arn, Signature, SigningAlgorithm }
  },
})
