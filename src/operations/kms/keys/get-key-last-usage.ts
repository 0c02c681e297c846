import type { KeyLastUsageData, KeyLastUsageTrackingOperation } from '@aws-sdk/client-kms'
import type { KeyUse } from '../../../model/keys/key-use.ts'
import { trackingStartOf } from '../../../model/keys/key-use.ts'
import { operation } from '../operation.ts'
import { key } from '../targets.ts'

export const getKeyLastUsage = operation('GetKeyLastUsage')({
  readOnly: true,
  target: key({ state: 'view' }),
  recorded: ['KeyId'],
  async run({ target: { key }, storage }) {
    return {
      KeyId: key.arn,
      KeyLastUsage: dataOf(await storage.keys.lastUse(key.arn)),
      TrackingStartDate: new Date(trackingStartOf(key, storage.trackingStart)),
      KeyCreationDate: new Date(key.creationDate),
    }
  },
})

/** Empty, but there, for a key that was not used. */
function dataOf(use: KeyUse | undefined): KeyLastUsageData {
  if (use === undefined) return {}
  return {
    Operation: use.operation as KeyLastUsageTrackingOperation,
    Timestamp: new Date(use.usedAt),
    CloudTrailEventId: use.eventId,
    KmsRequestId: use.requestId,
  }
}
