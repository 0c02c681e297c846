import { Failure } from '../../../errors.ts'
import { held } from '../../../vault/materials.ts'
import { macKey } from '../key-use.ts'
import { operation } from '../operation.ts'

export const verifyMac = operation('VerifyMac')({
  readOnly: true,
  target: macKey,
  conditionKeys: { 'kms:MacAlgorithm': ({ input }) => input.MacAlgorithm },
  recorded: ['KeyId', 'MacAlgorithm', 'DryRun'],
  async run({ input: { Mac, MacAlgorithm, Message }, target: { key }, hsms }) {
    const { hsm, hsmKey } = held(hsms, key)
    const valid = await hsm.verifyMac(hsmKey, MacAlgorithm, Message, Mac)
    if (!valid) throw new Failure('InvalidMac')
    return { KeyId: key.arn, MacAlgorithm, MacValid: true }
  },
})
