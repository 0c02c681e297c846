import { checkAliasCount } from '../../model/keys/alias.ts'
import type { Key } from '../../model/keys/key.ts'
import type { Changes, Storage } from '../../services.ts'

/**
 * Throws LimitExceeded if the key cannot have another alias. The key joins the changes, so that of concurrent requests for aliases of one key
 * each is decided after the one before it.
 */
export function checkAliasQuota(key: Key, { storage, changes }: { storage: Storage; changes: Changes }): void {
  checkAliasCount(storage.aliases.ofKey(key.arn).length)
  changes.put('keys', key)
}
