/** Rotation: a key gets new current material, on the HSM of the one before. Everything else about it stays. */
import type { RotationType } from '@aws-sdk/client-kms'
import { Failure } from '../errors.ts'
import { currentMaterial, type Key, type KeyMaterial, objectOf } from '../model/keys/key.ts'
import { rotated, rotationDetails } from '../model/keys/rotation.ts'
import type { Hsms, JobServices } from '../services.ts'
import type { Changes } from '../storage/storage.ts'
import { createMaterial, destroyUncommitted, type Recorder } from './materials.ts'

interface Means {
  readonly hsms: Hsms
  readonly changes: Changes
}

/**
 * Adds the rotation to the changes. Resolves to the key after it. Rejects with InvalidState for imported material without a pending one.
 *
 * @param date milliseconds since the epoch
 */
export async function rotate(key: Key, type: RotationType, date: number, means: Means): Promise<Key> {
  const next = key.origin === 'EXTERNAL' ? pendingMaterial(key) : await newMaterial(key, date, means)
  const after = rotated(key, next, { type, date })
  means.changes.put('keys', after)
  return after
}

function pendingMaterial({ arn, pendingMaterial }: Key): KeyMaterial {
  if (pendingMaterial?.object) return pendingMaterial
  throw new Failure('InvalidState', `No available key material pending rotation for the key: ${arn}.`)
}

async function newMaterial(key: Key, date: number, { hsms, changes }: Means): Promise<KeyMaterial> {
  const { hsm } = objectOf(currentMaterial(key))
  const material = await createMaterial(hsms.named(hsm), key, key.arn, date)
  changes.created.push(objectOf(material))
  return material
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
  { hsms, audit, outbox }: Pick<JobServices, 'hsms'> & Recorder,
  why: object = {},
): Promise<void> {
  const details = { keyId: key.id, rotationType: 'AUTOMATIC', keyOrigin: key.origin, ...why }
  const intent = audit.event('RotateKey', key.arn, details, { member: 'serviceEventDetails' })
  const change = async (changes: Changes) => {
    const after = await rotate(key, 'AUTOMATIC', date, { hsms, changes })
    return { ...intent, serviceEventDetails: { ...details, ...rotationDetails(after) } }
  }
  await outbox.act(intent, change, changes => destroyUncommitted(changes, { hsms }))
}
