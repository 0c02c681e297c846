import { Failure } from '../../../errors.ts'
import type { Key } from '../../../model/keys/key.ts'
import { keySpecs } from '../../../model/keys/key-spec.ts'
import { checkNoReplica } from '../../../model/keys/multi-region.ts'
import { rotationDetails } from '../../../model/keys/rotation.ts'
import { destroyUncommitted } from '../../../vault/materials.ts'
import { rotate } from '../../../vault/rotation.ts'
import { operation } from '../operation.ts'
import { key } from '../targets.ts'

const minute = 60_000

/** Done when it is answered. Imported keys are rotated to their pending material. */
export const rotateKeyOnDemand = operation('RotateKeyOnDemand')({
  readOnly: false,
  target: key({
    state: 'use',
    notInStores: true,
    fits: key => {
      if (keySpecs[key.spec].type !== 'symmetric') throw new Failure('UnsupportedOperation')
      checkNoReplica(key)
    },
  }),
  recorded: ['KeyId'],
  recordedOutput: ['KeyId'],
  recordedChange: ({ list }) => {
    return Object.assign({}, ...list.map(({ noun, record }) => (noun === 'keys' ? rotationDetails(record) : {})))
  },
  async run({ target: { key }, changes, clock, hsms, storage, maxOnDemandRotations }) {
    const now = clock()
    checkSchedule(key, now)
    checkLimit(key, maxOnDemandRotations)
    await rotate(key, 'ON_DEMAND', now, { hsms, storage, changes })
    return { KeyId: key.arn }
  },
  undo: destroyUncommitted,
})

/** An overdue rotation does not count, as it may be waiting for the clock: see jobs/steady-clock.ts. */
function checkSchedule({ automaticRotation }: Key, now: number): void {
  const next = automaticRotation?.nextDate
  if (next === undefined || next <= now || next > now + 20 * minute) return
  throw new Failure('Conflict', 'An automatic rotation of this key is scheduled to begin within the next 20 minutes.')
}

function checkLimit({ arn, materials }: Key, limit: number): void {
  if (materials.filter(({ rotation }) => rotation?.type === 'ON_DEMAND').length < limit) return
  throw new Failure(
    'LimitExceeded',
    `The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${arn}`,
  )
}
