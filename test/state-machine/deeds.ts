/** What callers do to a key. */
import fc from 'fast-check'
import { type Deed, deed } from './deed.ts'
import { alias, form, type Weighted } from './draws.ts'
import { day } from './model.ts'

export const deeds: Weighted<Deed> = [
  [5, deed('use', form, (world, key, form) => world.use(key, form))],
  [
    4,
    deed('RotateKeyOnDemand', {}, ({ now }, { arn: KeyId }) => ({
      call: kms => kms.rotateKeyOnDemand({ KeyId }),
      decide: ({ keys }) => keys.get(KeyId)!.rotateOnDemand(now),
    })),
  ],
  [
    2,
    deed(
      'EnableKeyRotation',
      { days: fc.constantFrom(undefined, 90, 200, 2560) },
      ({ now }, { arn: KeyId }, { days }) => ({
        call: kms => kms.enableKeyRotation({ KeyId, ...(days && { RotationPeriodInDays: days }) }),
        decide: ({ keys }) => keys.get(KeyId)!.enableRotation(days ?? 365, now),
      }),
    ),
  ],
  [
    1,
    deed('DisableKeyRotation', {}, (_, { arn: KeyId }) => ({
      call: kms => kms.disableKeyRotation({ KeyId }),
      decide: ({ keys }) => keys.get(KeyId)!.disableRotation(),
    })),
  ],
  [
    1,
    deed('DisableKey', {}, (_, { arn: KeyId }) => ({
      call: kms => kms.disableKey({ KeyId }),
      decide: ({ keys }) => keys.get(KeyId)!.enable(false),
    })),
  ],
  [
    2,
    deed('EnableKey', {}, (_, { arn: KeyId }) => ({
      call: kms => kms.enableKey({ KeyId }),
      decide: ({ keys }) => keys.get(KeyId)!.enable(true),
    })),
  ],
  [
    1,
    deed('ScheduleKeyDeletion', { days: fc.constantFrom(7, 30) }, ({ now }, { arn: KeyId }, { days }) => ({
      call: kms => kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: days }),
      decide: ({ keys }) => keys.get(KeyId)!.scheduleDeletion(now + days * day),
    })),
  ],
  [
    2,
    deed('CancelKeyDeletion', {}, (_, { arn: KeyId }) => ({
      call: kms => kms.cancelKeyDeletion({ KeyId }),
      decide: ({ keys }) => keys.get(KeyId)!.cancelDeletion(),
    })),
  ],
  [
    1,
    deed('CreateAlias', { alias }, (world, { arn: TargetKeyId }, { alias }) => ({
      call: kms => kms.createAlias({ AliasName: world.aliasName(alias), TargetKeyId }),
      decide: model => model.createAlias(world.aliasName(alias), TargetKeyId),
    })),
  ],
  [
    1,
    deed('UpdateAlias', { alias }, (world, { arn: TargetKeyId }, { alias }) => ({
      call: kms => kms.updateAlias({ AliasName: world.aliasName(alias), TargetKeyId }),
      decide: model => model.updateAlias(world.aliasName(alias), TargetKeyId),
    })),
  ],
]
