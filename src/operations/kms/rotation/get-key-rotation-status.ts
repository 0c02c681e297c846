import { operation } from '../operation.ts'
import { key } from '../targets.ts'

/**
 * Always disabled: this gateway cannot rotate keys yet. Recorded on AWS: the same for asymmetric and HMAC keys, which can never be rotated.
 */
export const getKeyRotationStatus = operation('GetKeyRotationStatus')({
  readOnly: true,
  target: key({ state: 'view', crossAccount: true }),
  recorded: ['KeyId'],
  async run({ target: { key } }) {
    return { KeyId: key.arn, KeyRotationEnabled: false }
  },
})
