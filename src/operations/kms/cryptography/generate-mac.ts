import { held } from '../../../vault/materials.ts'
import { macKey } from '../key-use.ts'
import { operation } from '../operation.ts'

export const generateMac = operation('GenerateMac')({
  readOnly: true,
  target: macKey,
  conditionKeys: { 'kms:MacAlgorithm': ({ input }) => input.MacAlgorithm },
  recorded: ['KeyId', 'MacAlgorithm', 'DryRun'],
  async run({ input: { MacAlgorithm, Message }, target: { key }, hsms }) {
    const { hsm, hsmKey } = held(hsms, key)
    return { KeyId: key.arn, Mac: await hsm.generateMac(hsmKey, MacAlgorithm, Message), MacAlgorithm }
  },
})
