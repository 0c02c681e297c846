import { type Key, materialsOf, objectsOf } from '../model/keys/key.ts'
import { withoutReplica } from '../model/keys/multi-region.ts'
import { recordedKey } from '../model/usage/deleted-key.ts'
import type { JobServices } from '../services.ts'
import { Changes } from '../storage/storage.ts'
import { deletionStatus } from '../vault/destruction.ts'
import { removeKey } from '../vault/remove-key.ts'
import { job } from './job.ts'

/**
 * Deletes keys whose waiting period is over: in one commit, a key is removed with all that belongs to it, and its HSM objects are marked for
 * destruction, which another job does. A key whose CKA_ID is on another key's object waits until that is fixed. With its last replica, a
 * primary key that waits for that gets a date of its own.
 */
export const deleteKeys = job({
  name: 'delete-keys',
  interval: 60_000,
  start: services => async () => {
    // A clock set forward would irrevocably destroy keys before their date.
    const now = await services.steadyClock.now()
    for (const key of now === undefined ? [] : services.storage.keys.dueForDeletion(now)) {
      if (key.custodyFault === 'wrong_key') continue
      try {
        await deleteKey(key, now!, services)
      } catch (thrown) {
        // For example a conflict, if the deletion was just cancelled. The next run tries again.
        services.log.error(
          { event: 'key_deletion_failed', err: thrown, key: key.arn },
          'Key deletion failed, will be retried',
        )
      }
    }
  },
})

async function deleteKey(key: Key, now: number, { storage, audit, outbox, log }: JobServices): Promise<void> {
  const keyMaterialIds = materialsOf(key).map(({ id }) => id)
  const objects = objectsOf(key).map(({ id }) => id)
  const backingKeysDeletionStatus = deletionStatus(objects, 'PENDING')
  const changes = new Changes()
  removeKey(changes, key, storage)
  const primary = key.multiRegion === 'REPLICA' ? primaryWithout(key, now, storage) : undefined
  // Put even if it stays as it is: the decision whether it waits for its replicas must not meet the deletion of the last one.
  if (primary) changes.put('keys', primary)
  const primaryKey = primary?.deletionDate && { arn: primary.arn, deletionDate: new Date(primary.deletionDate) }
  // As in the sample of the KMS Developer Guide, "DeleteKey".
  const { id: customKeyStoreId, cloudHsm } = storage.customKeyStores.ofKey(key) ?? {}
  const place = { customKeyStoreId, clusterId: cloudHsm?.clusterId }
  const strongroom = { ...recordedKey(key), primaryKey }
  const details = { ...place, keyMaterialIds, backingKeysDeletionStatus, strongroom }
  await outbox.record(changes, audit.event('DeleteKey', key.arn, details))
  log.info({ event: 'key_deleted', key: key.arn }, 'Key deleted')
}

function primaryWithout(replica: Key, now: number, { keys }: JobServices['storage']): Key | undefined {
  const related = keys.related(replica)
  const primary = related.find(({ multiRegion }) => multiRegion === 'PRIMARY')
  const remaining = related.filter(key => key !== primary)
  return primary && withoutReplica(primary, remaining, now)
}
