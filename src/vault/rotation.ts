/** Rotation: a key gets new current material, on the HSM of the one before. Everything else about it stays. */
import type { RotationType } from '@aws-sdk/client-kms'
import { Failure } from '../errors.ts'
import { regionsWithoutPending } from '../model/keys/imported-material.ts'
import { currentMaterial, type Key, type KeyMaterial, type KeyObject, objectOf } from '../model/keys/key.ts'
import { rotated, rotationDetails } from '../model/keys/rotation.ts'
import type { Hsms, JobServices, Storage } from '../services.ts'
import type { Changes } from '../storage/storage.ts'
import { createMaterial, destroyUncommitted, type Recorder } from './materials.ts'
import { putShared } from './related-keys.ts'
import { replicateMaterial } from './replication.ts'

interface Means {
  readonly hsms: Hsms
  readonly storage: Storage
  readonly changes: Changes
}

/**
 * Adds the rotation to the changes. Resolves to the key after it. Rejects with InvalidState for imported material without a pending one, or
 * while a related key lacks that.
 *
 * @param date milliseconds since the epoch
 */
export async function rotate(key: Key, type: RotationType, date: number, means: Means): Promise<Key> {
  const { storage, changes } = means
  const isImported = key.origin === 'EXTERNAL'
  const next = isImported ? pendingMaterial(key, storage) : await newMaterial(key, date, means)
  const objects = isImported ? undefined : await objectsOfRelated(key, next, means)
  const after = rotated(key, next, { type, date })
  putShared(changes, after, storage, objects)
  return after
}

/** That of a multi-Region key must have been imported into each related key. */
function pendingMaterial(key: Key, storage: Storage): KeyMaterial {
  const { arn, pendingMaterial } = key
  if (pendingMaterial?.object === undefined)
    throw new Failure('InvalidState', `No available key material pending rotation for the key: ${arn}.`)
  const awaited = regionsWithoutPending(storage.keys.related(key))
  if (awaited.length === 0) return pendingMaterial
  const text = `${arn} cannot be rotated to key material (id: ${pendingMaterial.id}) before that is imported into its multi-Region keys in: ${awaited.join(', ')}.`
  throw new Failure('InvalidState', text)
}

async function newMaterial(key: Key, date: number, { hsms, changes }: Means): Promise<KeyMaterial> {
  const { hsm } = objectOf(currentMaterial(key))
  const material = await createMaterial(hsms.named(hsm), key, key.arn, date)
  changes.created.push(objectOf(material))
  return material
}

/** New material on the HSMs of the related keys, by HSM. */
async function objectsOfRelated(key: Key, material: KeyMaterial, means: Means) {
  const objects = new Map<string, KeyObject>()
  const hsmOf = (related: Key) => objectOf(currentMaterial(related)).hsm
  for (const name of new Set(means.storage.keys.related(key).map(hsmOf)))
    objects.set(name, await replicateMaterial(key, material, means.hsms.named(name), means))
  return (related: Key) => new Map([[material.id, objects.get(hsmOf(related))!]])
}

/**
 * Rotates a key without a caller, and commits that. Rejects with Conflict, having changed nothing, if the key was changed by others since it
 * was read.
 *
 * @param date milliseconds since the epoch
 * @param why it is rotated now, for its audit record, if not by its schedule
 */
export async function rotateAutomatically(
  key: Key,
  date: number,
  { hsms, storage, audit, outbox }: Pick<JobServices, 'hsms' | 'storage'> & Recorder,
  why: object = {},
): Promise<void> {
  const details = { keyId: key.id, rotationType: 'AUTOMATIC', keyOrigin: key.origin, ...why }
  const intent = audit.event('RotateKey', key.arn, details, { member: 'serviceEventDetails' })
  const change = async (changes: Changes) => {
    const after = await rotate(key, 'AUTOMATIC', date, { hsms, storage, changes })
    return { ...intent, serviceEventDetails: { ...details, ...rotationDetails(after) } }
  }
  await outbox.act(intent, change, changes => destroyUncommitted(changes, { hsms }))
}
