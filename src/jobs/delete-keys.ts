import type { Key } from '../model/keys/key.ts'
import type { JobServices } from '../services.ts'
import { Changes } from '../storage/storage.ts'
import { destroyMaterial } from '../vault/materials.ts'
import { removeKey } from '../vault/remove-key.ts'
import { job } from './job.ts'

/**
 * Deletes keys whose waiting period is over. First the key, its aliases, its grants and its policy are removed from storage and each HSM
 * object is marked for destruction, in one commit; then the objects are destroyed. A mark remains until the destruction has succeeded, so a
 * crash in between loses nothing. A key whose CKA_ID is on another key's object is skipped, as that object would be destroyed.
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
        await forget(key, services)
      } catch (thrown) {
        // For example a conflict, if the deletion was just cancelled. The next run tries again.
        services.log.error(
          { event: 'key_deletion_failed', err: thrown, key: key.arn },
          'Key deletion failed, will be retried',
        )
      }
    }
    await destroyObjects(services)
  },
})

async function forget(key: Key, { storage, audit, outbox, log }: JobServices): Promise<void> {
  const event = audit.event('DeleteKey', key.arn, { keyMaterialIds: key.materials.map(({ id }) => id) })
  const changes = new Changes()
  removeKey(changes, key, storage)
  await outbox.record(changes, event)
  log.info({ event: 'key_deleted', key: key.arn }, 'Key deleted')
}

async function destroyObjects(services: JobServices): Promise<void> {
  for (const destruction of services.storage.destructions.list()) {
    try {
      await destroyMaterial(destruction, services)
    } catch (thrown) {
      const { object, hsm, keyArn } = destruction
      services.log.error(
        { event: 'key_destruction_failed', err: thrown, hsm, object, key: keyArn },
        'Destruction of key material failed, will be retried',
      )
    }
  }
}
