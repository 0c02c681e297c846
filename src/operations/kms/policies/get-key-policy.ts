import { operation } from '../operation.ts'
import { checkPolicyName, defaultPolicyName } from '../policy-name.ts'
import { key } from '../targets.ts'

export const getKeyPolicy = operation('GetKeyPolicy')({
  readOnly: true,
  target: key({ state: 'view' }),
  recorded: ['KeyId', 'PolicyName'],
  async run({ input, target: { key } }) {
    checkPolicyName(input.PolicyName)
    return { Policy: key.policy, PolicyName: defaultPolicyName }
  },
})
