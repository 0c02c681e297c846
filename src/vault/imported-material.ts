import { isForgotten, withoutObject } from '../model/keys/imported-material.ts'
import type { Key, KeyMaterial } from '../model/keys/key.ts'
import type { Changes, Storage } from '../services.ts'
import { markForDestruction } from './destruction.ts'
import { putShared } from './related-keys.ts'

/**
 * Takes imported material from a key, in the changes; its object is marked for destruction. What was pending rotation is taken from related
 * keys as well, if the key is the primary one.
 */
export function removeImported(changes: Changes, key: Key, { id, object }: KeyMaterial, storage: Storage): void {
  if (object) markForDestruction(changes, [object], key, storage)
  const after = withoutObject(key, id)
  if (isForgotten(key, id)) putShared(changes, after, storage)
  else if (object) changes.put('keys', after)
}
