/** The destruction of HSM objects: marked in the commit that takes them from their key, destroyed by a job. */
import { Failure } from '../errors.ts'
import { type Destruction, type Key, type KeyObject, objectsOf } from '../model/keys/key.ts'
import type { JobServices, Storage } from '../services.ts'
import { Changes } from '../storage/storage.ts'
import type { Recorder } from './materials.ts'

/**
 * Marks objects for destruction, in the changes that take them from their key. Those of a key with the fault `wrong_key` stay, as
 * orphans, since one of them may be another key.
 *
 * @param key undefined for an object of no key
 */
export function markForDestruction(
  changes: Changes,
  objects: readonly KeyObject[],
  key: Pick<Key, 'arn' | 'custodyFault'> | undefined,
  storage: Storage,
): void {
  if (key?.custodyFault === 'wrong_key') return
  for (const { id: object, hsm } of objects) {
    // The other keys that have the object may be removed in the same changes, or may have marked it before.
    const isShared = storage.keys.findByObject(object).length > 1
    if (isShared && changes.list.some(({ noun, record }) => noun === 'destructions' && isOf(record, hsm, object)))
      continue
    // A mark that exists is written again: if the job removes it meanwhile, one of the two conflicts.
    const revision = storage.destructions.find(hsm, object)?.revision ?? 0
    changes.put('destructions', { object, hsm, keyArn: key?.arn, revision })
  }
}

function isOf(destruction: Destruction, hsm: string, object: string): boolean {
  return destruction.hsm === hsm && destruction.object === object
}

/**
 * Destroys a marked HSM object, and records that it is gone. If other keys have it on that HSM as well, only the mark is removed: the last of
 * them will mark it again. If they have it on an HSM of another name, which may lead to the same token, the mark waits for them. Rejects if something fails: all can be repeated, as a missing object counts as destroyed. While the HSM is known to be
 * unavailable, nothing is attempted.
 */
export async function destroyMarked(
  destruction: Destruction,
  { storage, hsms, audit, outbox }: Pick<JobServices, 'storage' | 'hsms'> & Recorder,
): Promise<void> {
  const { object: objectId, hsm, keyArn } = destruction
  const users = storage.keys.findByObject(objectId)
  const here = users.filter(key => objectsOf(key).some(object => object.id === objectId && object.hsm === hsm))
  if (here.length > 0) {
    const changes = new Changes()
    changes.remove('destructions', destruction)
    const keyArns = here.map(({ arn }) => arn)
    await outbox.record(changes, audit.event('KeepKeyMaterial', keyArn, { objectId, hsm, keyArns }))
  }
  if (users.length > 0) return
  const holder = hsms.named(hsm)
  if (holder.health.state !== 'ready') throw new Failure('KeyUnavailable')
  const intent = audit.event('DestroyKeyMaterial', keyArn, { objectId, hsm })
  await outbox.act(intent, async changes => {
    await holder.destroyKey(objectId)
    changes.remove('destructions', destruction)
    const backingKeysDeletionStatus = deletionStatus([objectId], 'SUCCESS')
    return { ...intent, additionalEventData: { objectId, hsm, backingKeysDeletionStatus } }
  })
}

/** As in CloudTrail's DeleteKey event of a key in a CloudHSM key store: JSON. */
export function deletionStatus(objects: readonly string[], status: 'PENDING' | 'SUCCESS'): string {
  return JSON.stringify(objects.map(backingKeyId => ({ backingKeyId, deletionStatus: status })))
}
