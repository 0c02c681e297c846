import { shownKeyPolicy } from '../../../model/keys/policy-principals.ts'
import { operation } from '../operation.ts'
import { checkPolicyName, defaultPolicyName } from '../policy-name.ts'
import { key } from '../targets.ts'

export const getKeyPolicy = operation('GetKeyPolicy')({
  readOnly: true,
  target: key({ state: 'view' }),
  recorded: ['KeyId', 'PolicyName'],
  async run({ input, target: { key }, storage }) {
    checkPolicyName(input.PolicyName)
    return { Policy: shownKeyPolicy(key, storage.principals), PolicyName: defaultPolicyName }
  },
})
