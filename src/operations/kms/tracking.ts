/** How long a key has not been used. */
import type { ConditionKeys } from '../../model/condition-keys.ts'
import { trackingStartOf } from '../../model/keys/key-use.ts'
import type { Asked, TargetKind } from '../operation.ts'
import { type KeyInput, type KeyNeeds, type KeyTarget, keyTarget } from './targets.ts'

const day = 24 * 60 * 60 * 1000

export interface UnusedTarget extends KeyTarget {
  /** Milliseconds since the epoch: when the key was last used, or else since when no use is known. Undefined if there is no such key. */
  readonly unusedSince: number | undefined
}

/** The KMS key named by KeyId, for operations that make a key unusable. */
export function unusedKey(needs: KeyNeeds): TargetKind<KeyInput, UnusedTarget> {
  return {
    async find(input, search) {
      const target = keyTarget(input.KeyId!, needs, search)
      const { storage } = search
      const arn = target.resources[0]!
      const use = await storage.keys.lastUse(arn)
      const key = storage.keys.find(arn)
      const unusedSince = use?.usedAt ?? (key && trackingStartOf(key, storage.trackingStart))
      return Object.assign(target, { unusedSince })
    },
  }
}

/** Of the same operations. KMS Developer Guide, "kms:TrailingDaysWithoutKeyUsage". */
export const usageConditionKeys: ConditionKeys<Pick<Asked<KeyInput, UnusedTarget>, 'target' | 'now' | 'asMissing'>> = {
  'kms:TrailingDaysWithoutKeyUsage': ({ target: { unusedSince }, now, asMissing }) =>
    unusedSince === undefined || asMissing ? undefined : Math.max(0, Math.floor((now - unusedSince) / day)),
}
