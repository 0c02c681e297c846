/** Replica keys, and their objects. */
import { type Key, type KeyObject, materialsOf } from '../model/keys/key.ts'
import { type ReplicationMeans, replicateMaterial } from './replication.ts'

/**
 * The objects of a primary key's materials on the HSM of another region, by material. None of imported material, which is imported into each
 * replica. Rejects as replicateMaterial does.
 */
export async function replicatedObjects(
  primary: Key,
  region: string,
  means: ReplicationMeans,
): Promise<ReadonlyMap<string, KeyObject>> {
  const objects = new Map<string, KeyObject>()
  if (primary.origin === 'EXTERNAL') return objects
  const target = means.hsms.ofRegion(region)
  for (const material of materialsOf(primary))
    objects.set(material.id, await replicateMaterial(primary, material, target, means))
  return objects
}
