import { operation } from '../operation.ts'
import { checkPolicyName, defaultPolicyName } from '../policy-name.ts'
import { key } from '../targets.ts'

export const getKeyPolicy = operation('GetKeyPolicy')({
  readOnly: true,
  target: key({ state: 'view' }),
  recorded: ['KeyId', 'PolicyName'],
  async run({ input, target: { key } }) {
    checkPolicyName(input.PolicyName)
    return { Policy: reformatted(key.policy), PolicyName: defaultPolicyName }
  },
})

/** KMS answers policies indented, with a space before each colon. */
function reformatted(policy: string): string {
  return JSON.stringify(JSON.parse(policy), null, 2).replace(/^( *"(?:[^"\\]|\\.)*"):/gm, '$1 :')
}
