import { usageConditionKeys } from '../key-condition-keys.ts'
import { operation } from '../operation.ts'
import { key } from '../targets.ts'

export const disableKey = operation('DisableKey')({
  readOnly: false,
  target: key({ state: 'enable' }),
  conditionKeys: usageConditionKeys,
  recorded: ['KeyId'],
  async run({ target: { key }, changes }) {
    changes.put('keys', { ...key, state: 'Disabled' })
  },
})
