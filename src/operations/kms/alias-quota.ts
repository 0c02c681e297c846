import { Failure } from '../../errors.ts'
import type { Key } from '../../model/keys/key.ts'
import type { Storage } from '../../services.ts'

/** KMS Developer Guide, "Resource quotas". */
export const maximumAliases = 50

/** Throws LimitExceeded if the key cannot have another alias. */
export function checkAliasQuota({ arn }: Key, storage: Storage): void {
  const usage = storage.aliases.ofKey(arn).length
  if (usage < maximumAliases) return
  const text = `Aliases per key quota for this account in this region is ${maximumAliases}, current usage is ${usage}.`
  throw new Failure('LimitExceeded', text)
}
