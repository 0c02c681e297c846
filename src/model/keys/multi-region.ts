/**
 * Multi-Region keys: KMS Developer Guide, "Multi-Region keys in AWS KMS". Each region has a record of its own, with a copy of what related
 * keys share: a change of that is made to all of them in one commit.
 */
import type { MultiRegionConfiguration } from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import { keyArn } from '../arn.ts'
import { isMultiRegion, type Key, type KeyMaterial, type KeyObject, materialsOf } from './key.ts'

/**
 * As in KeyMetadata; undefined for a single-Region key.
 *
 * @param related its related keys in the other regions
 */
export function multiRegionConfiguration(key: Key, related: readonly Key[]): MultiRegionConfiguration | undefined {
  if (!isMultiRegion(key)) return undefined
  const all = [key, ...related].sort((one, other) => (one.region < other.region ? -1 : 1))
  const primary = all.find(({ multiRegion }) => multiRegion === 'PRIMARY')
  return {
    MultiRegionKeyType: key.multiRegion,
    PrimaryKey: primary && nameOf(primary),
    ReplicaKeys: all.filter(other => other !== primary).map(nameOf),
  }
}

function nameOf({ arn, region }: Key) {
  return { Arn: arn, Region: region }
}

/** Throws UnsupportedOperation for any other key. */
export function checkPrimary(key: Pick<Key, 'arn' | 'id' | 'multiRegion'>): void {
  if (!isMultiRegion(key)) throw new Failure('UnsupportedOperation', `${key.arn} is not a multi-region key.`)
  checkNoReplica(key)
}

/** Throws UnsupportedOperation for a replica key: what related keys share is changed in the primary key only. */
export function checkNoReplica({ arn, multiRegion }: Pick<Key, 'arn' | 'multiRegion'>): void {
  if (multiRegion !== 'REPLICA') return
  throw new Failure('UnsupportedOperation', `${arn} is not a multi-region primary key.`)
}

/** What each replica has for itself. */
export type ReplicaProperties = Pick<Key, 'description' | 'tags' | 'policy' | 'policyPrincipals' | 'creationDate'>

/**
 * A new replica of a primary key.
 *
 * @param objects of its materials, by material id; one without is to be imported
 */
export function replicaOf(
  primary: Key,
  region: string,
  own: ReplicaProperties,
  objects: ReadonlyMap<string, KeyObject>,
): Key {
  const { id, account, spec, usage, origin } = primary
  const kind = { id, account, region, spec, usage, origin, arn: keyArn({ account, region }, id) }
  const replica: Key = { ...kind, ...own, state: 'Enabled', multiRegion: 'REPLICA', materials: [], revision: 0 }
  return withShared(replica, primary, objects)
}

/**
 * A key with what it shares with a related key as that has it: materials and automatic rotation. Of each material it keeps its own object and
 * its own import.
 *
 * @param objects of materials that it does not have yet, by material id
 */
export function withShared(key: Key, changed: Key, objects: ReadonlyMap<string, KeyObject> = new Map()): Key {
  const own = new Map(materialsOf(key).map(material => [material.id, material]))
  const shared = ({ id, createdAt, rotation, imported }: KeyMaterial): KeyMaterial => {
    const { object = objects.get(id), imported: ownImport = imported && {} } = own.get(id) ?? {}
    return { id, createdAt, rotation, object, imported: ownImport }
  }
  const { materials, pendingMaterial, automaticRotation } = changed
  return {
    ...key,
    materials: materials.map(shared),
    pendingMaterial: pendingMaterial && shared(pendingMaterial),
    automaticRotation,
  }
}

const day = 24 * 60 * 60 * 1000

/**
 * A primary key after the deletion of one of its replicas: if it waits for the last of them, its own waiting period begins. KMS Developer
 * Guide, "Delete multi-Region keys".
 *
 * @param remaining its other replicas
 * @param now milliseconds since the epoch
 */
export function withoutReplica(primary: Key, remaining: readonly Key[], now: number): Key {
  const { state, pendingWindowInDays } = primary
  if (state !== 'PendingReplicaDeletion' || remaining.length > 0) return primary
  const deletionDate = now + pendingWindowInDays! * day
  return { ...primary, state: 'PendingDeletion', deletionDate, pendingWindowInDays: undefined }
}
