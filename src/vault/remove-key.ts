import { type Key, objectsOf } from '../model/keys/key.ts'
import type { Changes, Storage } from '../services.ts'
import { markForDestruction } from './destruction.ts'
import { removeWrappingKeys } from './wrapping-keys.ts'

/** Removes a key with all that belongs to it, in the changes; its HSM objects are marked for destruction. */
export function removeKey(changes: Changes, key: Key, storage: Storage): void {
  for (const alias of storage.aliases.ofKey(key.arn)) changes.remove('aliases', alias)
  markForDestruction(changes, objectsOf(key), key, storage)
  removeWrappingKeys(changes, key.arn, storage)
  changes.remove('keys', key)
}
