import { operation } from '../operation.ts'
import { key } from '../targets.ts'

/**
 * Always disabled: this gateway cannot rotate keys yet. Recorded on AWS: keys that can never be rotated, asymmetric and HMAC,
 * answer the same.
 */
export const getKeyRotationStatus = operation('GetKeyRotationStatus')({
  readOnly: true,
  target: key({ state: 'view', crossAccount: true }),
  recorded: ['KeyId'],
  async run({ target: { key } }) {
    return { KeyId: key.arn, KeyRotationEnabled: false }
  },
})
