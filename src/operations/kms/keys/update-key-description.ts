import { operation } from '../operation.ts'
import { key } from '../targets.ts'

export const updateKeyDescription = operation('UpdateKeyDescription')({
  readOnly: false,
  target: key({ state: 'modify' }),
  recorded: ['KeyId', 'Description'],
  async run({ input, target: { key }, changes }) {
    changes.put('keys', { ...key, description: input.Description })
  },
})
