import { isPendingDeletion } from '../../../model/keys/key-state.ts'
import { operation } from '../operation.ts'
import { key } from '../targets.ts'

/** Recorded on AWS: disabled for asymmetric and HMAC keys, which can never be rotated, and refused for imported keys of every kind. */
export const getKeyRotationStatus = operation('GetKeyRotationStatus')({
  readOnly: true,
  target: key({ state: 'view', origin: 'AWS_KMS', crossAccount: true }),
  recorded: ['KeyId'],
  async run({ target: { key } }) {
    const schedule = isPendingDeletion(key) ? undefined : key.automaticRotation
    return {
      KeyId: key.arn,
      KeyRotationEnabled: schedule !== undefined,
      ...(schedule && {
        RotationPeriodInDays: schedule.periodInDays,
        NextRotationDate: new Date(schedule.nextDate),
      }),
    }
  },
})
