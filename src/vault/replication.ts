/** Key material of multi-Region keys on the HSMs of other regions. */
import { Failure } from '../errors.ts'
import { type Key, type KeyMaterial, type KeyObject, objectOf } from '../model/keys/key.ts'
import type { Changes, Hsm, Hsms, Storage } from '../services.ts'

export interface ReplicationMeans {
  readonly hsms: Hsms
  readonly storage: Storage
  readonly changes: Changes
}

/**
 * The object of the key material on the HSM of another region. Rejects with UnsupportedOperation, which says why, if it cannot be there.
 *
 * @param key that has the material
 */
export async function replicateMaterial(
  key: Key,
  material: KeyMaterial,
  target: Hsm,
  _means: ReplicationMeans,
): Promise<KeyObject> {
  const object = objectOf(material)
  if (object.hsm === target.name) return object
  const text = `The key material of ${key.arn} is on HSM ${object.hsm}, and cannot be brought to HSM ${target.name}.`
  throw new Failure('UnsupportedOperation', text)
}
