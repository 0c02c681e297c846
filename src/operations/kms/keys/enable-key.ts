import { operation } from '../operation.ts'
import { key } from '../targets.ts'

export const enableKey = operation('EnableKey')({
  readOnly: false,
  target: key({ state: 'enable' }),
  recorded: ['KeyId'],
  async run({ target: { key }, changes }) {
    changes.put('keys', { ...key, state: 'Enabled' })
  },
})
