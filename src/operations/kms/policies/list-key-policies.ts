import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { defaultPolicyName } from '../policy-name.ts'
import { key } from '../targets.ts'

export const listKeyPolicies = operation('ListKeyPolicies')({
  readOnly: true,
  target: key({ state: 'view' }),
  recorded: ['KeyId', 'Limit', 'Marker'],
  async run({ input, target: { key }, caller }) {
    const { records, ...rest } = await page<string>(
      input,
      { ordinary: 100, maximum: 1000 },
      scopeOf('ListKeyPolicies', caller, key.id),
      name => name,
      after => (after === undefined ? [defaultPolicyName] : []),
    )
    return { PolicyNames: [...records], ...rest }
  },
})
