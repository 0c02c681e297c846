import { Failure } from '../../errors.ts'
import type { Key } from '../../model/keys/key.ts'
import type { Changes, Storage } from '../../services.ts'

/** KMS Developer Guide, "Resource quotas". */
export const maximumAliases = 50

/**
 * Throws LimitExceeded if the key cannot have another alias. The key joins the changes, so that of concurrent requests for aliases of one key
 * each is decided after the one before it.
 */
export function checkAliasQuota(key: Key, { storage, changes }: { storage: Storage; changes: Changes }): void {
  const usage = storage.aliases.ofKey(key.arn).length
  if (usage >= maximumAliases) {
    const text = `Aliases per key quota for this account in this region is ${maximumAliases}, current usage is ${usage}.`
    throw new Failure('LimitExceeded', text)
  }
  changes.put('keys', key)
}
