/** What related multi-Region keys share, and how it changes in all of them at once. */
import { type Key, type KeyObject, objectsOf } from '../model/keys/key.ts'
import { withShared } from '../model/keys/multi-region.ts'
import type { Changes, Storage } from '../services.ts'
import { markForDestruction } from './destruction.ts'

/**
 * Puts a key of which something changed that its related keys share, and the same in those. The objects of material that they lose thereby are
 * marked for destruction.
 *
 * @param objectsFor a related key: objects of materials that are new to it, by material id
 */
export function putShared(
  changes: Changes,
  key: Key,
  storage: Storage,
  objectsFor?: (related: Key) => ReadonlyMap<string, KeyObject>,
): void {
  changes.put('keys', key)
  const allRelated = storage.keys.related(key)
  // KMS Developer Guide, "SynchronizeMultiRegionKey": of the primary key, not of its replicas.
  if (allRelated.length > 0) changes.events.push({ name: 'SynchronizeMultiRegionKey', resource: key.arn })
  for (const related of allRelated) {
    const after = withShared(related, key, objectsFor?.(related))
    const kept = new Set(objectsOf(after).map(({ id }) => id))
    const lost = objectsOf(related).filter(({ id }) => !kept.has(id))
    markForDestruction(changes, lost, related, storage)
    changes.put('keys', after)
  }
}
