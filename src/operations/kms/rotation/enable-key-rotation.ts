import { Failure } from '../../../errors.ts'
import { keySpecs } from '../../../model/keys/key-spec.ts'
import { checkNoReplica } from '../../../model/keys/multi-region.ts'
import { defaultPeriodInDays, rotationFrom } from '../../../model/keys/rotation.ts'
import { putShared } from '../../../vault/related-keys.ts'
import { type Input, operation } from '../operation.ts'
import { key } from '../targets.ts'

/** On a key that has it already, changes the period, which then starts now; with the same period it changes nothing. */
export const enableKeyRotation = operation('EnableKeyRotation')({
  readOnly: false,
  target: key({
    state: 'rotation',
    origin: 'AWS_KMS',
    fits: key => {
      if (keySpecs[key.spec].type !== 'symmetric') throw new Failure('UnsupportedOperation')
      checkNoReplica(key)
    },
  }),
  conditionKeys: { 'kms:RotationPeriodInDays': ({ input }) => periodOf(input) },
  recorded: ['KeyId', 'RotationPeriodInDays'],
  async run({ input, target: { key }, storage, changes, clock }) {
    const period = periodOf(input)
    const { automaticRotation: before } = key
    const automaticRotation = before?.periodInDays === period ? before : rotationFrom(clock(), period)
    putShared(changes, { ...key, automaticRotation }, storage)
  },
})

function periodOf({ RotationPeriodInDays }: Input<'EnableKeyRotation'>): number {
  return RotationPeriodInDays ?? defaultPeriodInDays
}
