import { type Key, objectsOf } from '../model/keys/key.ts'
import type { Changes, Storage } from '../services.ts'
import { markForDestruction } from './materials.ts'
import { removeWrappingKeys } from './wrapping-keys.ts'

/** Removes a key with all that belongs to it, in the changes; a job destroys its HSM objects, but for one that may be another key. */
export function removeKey(changes: Changes, key: Key, storage: Storage): void {
  for (const alias of storage.aliases.ofKey(key.arn)) changes.remove('aliases', alias)
  if (key.custodyFault !== 'wrong_key') markForDestruction(changes, objectsOf(key), key.arn)
  removeWrappingKeys(changes, key.arn, storage)
  changes.remove('keys', key)
}
