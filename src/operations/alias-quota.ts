import { Failure } from '../errors.ts'
import type { Key } from '../model/key.ts'
import type { Storage } from '../services.ts'

/** KMS Developer Guide, "Resource quotas". */
const maximumAliases = 50

/** Throws LimitExceededException when no further alias may point at the key. */
export function checkAliasQuota({ arn }: Key, storage: Storage): void {
  if (storage.aliases.ofKey(arn).length < maximumAliases) return
  throw new Failure('LimitExceededException', `${arn} has the maximum number of aliases: ${maximumAliases}`)
}
