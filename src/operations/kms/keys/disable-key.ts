import { operation } from '../operation.ts'
import { key } from '../targets.ts'

export const disableKey = operation('DisableKey')({
  readOnly: false,
  target: key({ state: 'enable' }),
  recorded: ['KeyId'],
  async run({ target: { key }, changes }) {
    changes.put('keys', { ...key, state: 'Disabled' })
  },
})
