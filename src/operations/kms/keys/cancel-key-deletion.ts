import { operation } from '../operation.ts'
import { key } from '../targets.ts'

export const cancelKeyDeletion = operation('CancelKeyDeletion')({
  readOnly: false,
  target: key({ state: 'cancelDeletion' }),
  recorded: ['KeyId'],
  recordedOutput: ['KeyId'],
  async run({ target: { key }, changes }) {
    changes.put('keys', { ...key, state: 'Disabled', deletionDate: undefined, pendingWindowInDays: undefined })
    return { KeyId: key.arn }
  },
})
