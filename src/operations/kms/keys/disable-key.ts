import { operation } from '../operation.ts'
import { unusedKey, usageConditionKeys } from '../tracking.ts'

export const disableKey = operation('DisableKey')({
  readOnly: false,
  target: unusedKey({ state: 'enable' }),
  conditionKeys: usageConditionKeys,
  recorded: ['KeyId'],
  async run({ target: { key }, changes }) {
    changes.put('keys', { ...key, state: 'Disabled' })
  },
})
