import { operation } from '../operation.ts'
import { checkPolicyName } from '../policy-name.ts'
import { key } from '../targets.ts'

export const putKeyPolicy = operation('PutKeyPolicy')({
  readOnly: false,
  target: key({ state: 'view' }),
  conditionKeys: { 'kms:BypassPolicyLockoutSafetyCheck': ({ input }) => input.BypassPolicyLockoutSafetyCheck },
  recorded: ['KeyId', 'PolicyName', 'Policy', 'BypassPolicyLockoutSafetyCheck'],
  recordedDefaults: () => ({ PolicyName: 'default', BypassPolicyLockoutSafetyCheck: false }),
  async run({ input, target: { key, permissions }, caller, changes, checkKeyPolicy }) {
    checkPolicyName(input.PolicyName)
    const { Policy: policy, BypassPolicyLockoutSafetyCheck: bypassLockoutSafetyCheck = false } = input
    const { arn: keyArn, account } = key
    const policyPrincipals = checkKeyPolicy({
      text: policy,
      keyArn,
      account,
      caller,
      bypassLockoutSafetyCheck,
      context: permissions[0]!.conditionKeys,
    })
    changes.put('keys', { ...key, policy, policyPrincipals })
  },
})
