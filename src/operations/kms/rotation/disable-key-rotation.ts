import { checkNoReplica } from '../../../model/keys/multi-region.ts'
import { putShared } from '../../../vault/related-keys.ts'
import { operation } from '../operation.ts'
import { key } from '../targets.ts'

/** Recorded on AWS: succeeds for asymmetric and HMAC keys, which can never be rotated. */
export const disableKeyRotation = operation('DisableKeyRotation')({
  readOnly: false,
  target: key({ state: 'rotation', origin: 'AWS_KMS', fits: checkNoReplica }),
  recorded: ['KeyId'],
  async run({ target: { key }, storage, changes }) {
    putShared(changes, { ...key, automaticRotation: undefined }, storage)
  },
})
