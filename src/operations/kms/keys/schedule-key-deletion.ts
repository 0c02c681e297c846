import { Failure } from '../../../errors.ts'
import { type Input, operation } from '../operation.ts'
import { unusedKey, usageConditionKeys } from '../tracking.ts'

const day = 24 * 60 * 60 * 1000

/** KMS Developer Guide, "Schedule key deletion". The shape in the model allows 1 to 365. */
const window = { least: 7, most: 30 }

/** The waiting period of a primary key begins when the last of its replicas is deleted: see jobs/delete-keys.ts. */
export const scheduleKeyDeletion = operation('ScheduleKeyDeletion')({
  readOnly: false,
  target: unusedKey({ state: 'scheduleDeletion' }),
  conditionKeys: {
    ...usageConditionKeys,
    'kms:ScheduleKeyDeletionPendingWindowInDays': ({ input }) => windowOf(input),
  },
  recorded: ['KeyId', 'PendingWindowInDays'],
  recordedOutput: ['KeyId', 'KeyState', 'DeletionDate', 'PendingWindowInDays'],
  async run({ input, target: { key }, storage, changes, clock }) {
    const days = windowOf(input)
    if (days < window.least || days > window.most) throw outside(days)
    if (key.multiRegion === 'PRIMARY' && storage.keys.related(key).length > 0) {
      changes.put('keys', { ...key, state: 'PendingReplicaDeletion', pendingWindowInDays: days })
      return { KeyId: key.arn, KeyState: 'PendingReplicaDeletion', PendingWindowInDays: days }
    }
    const deletionDate = clock() + days * day
    changes.put('keys', { ...key, state: 'PendingDeletion', deletionDate })
    return {
      KeyId: key.arn,
      DeletionDate: new Date(deletionDate),
      KeyState: 'PendingDeletion',
      PendingWindowInDays: days,
    }
  },
})

function windowOf({ PendingWindowInDays }: Input<'ScheduleKeyDeletion'>): number {
  return PendingWindowInDays ?? window.most
}

function outside(days: number): Failure {
  const bound =
    days < window.least ? `greater than or equal to ${window.least}` : `less than or equal to ${window.most}`
  return new Failure(
    'Validation',
    `1 validation error detected: Value '${days}' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value ${bound}`,
  )
}
