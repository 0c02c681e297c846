import { withoutObjects } from '../model/keys/imported-material.ts'
import { type Key, type KeyMaterial, materialsOf, nextExpiry, objectsOf } from '../model/keys/key.ts'
import type { JobServices } from '../services.ts'
import { Changes } from '../storage/storage.ts'
import { markForDestruction } from '../vault/destruction.ts'
import { job } from './job.ts'

/** Milliseconds for which a reading of the clock is extrapolated: each one is written to disk. */
const maximumAge = 60_000

/**
 * Takes imported key material from its key when it expires, within a second; its object is marked for destruction. While the clock
 * is not stable nothing expires, as nothing is deleted.
 */
export const deleteExpiredKeyMaterial = job({
  name: 'delete-expired-key-material',
  interval: 1000,
  start(services) {
    const { storage, steadyClock, elapsed, log } = services
    let reading: { readonly now: number | undefined; readonly at: number } | undefined
    const dueAt = (now: number | undefined) =>
      now === undefined ? [] : storage.keys.expiring().filter(key => nextExpiry(key)! <= now)
    return async () => {
      if (storage.keys.expiring().length === 0) return
      const age = reading === undefined ? maximumAge : elapsed() - reading.at
      const supposed = reading?.now === undefined ? undefined : reading.now + age
      if (age < maximumAge && dueAt(supposed).length === 0) return
      const now = await steadyClock.now()
      reading = { now, at: elapsed() }
      for (const key of dueAt(now)) {
        try {
          await expire(key, now!, services)
        } catch (thrown) {
          // For example a conflict, if it was just imported again. The next run tries again.
          log.error(
            { event: 'key_expiry_failed', err: thrown, key: key.arn },
            'Expiry of key material failed, will be retried',
          )
        }
      }
    }
  },
})

async function expire(key: Key, now: number, { storage, audit, outbox, log }: JobServices): Promise<void> {
  const isExpired = ({ object, imported }: KeyMaterial) =>
    object !== undefined && (imported?.validTo ?? Infinity) <= now
  const expired = materialsOf(key).filter(isExpired)
  const changes = new Changes()
  markForDestruction(changes, objectsOf({ materials: expired }), key, storage)
  changes.put('keys', withoutObjects(key, isExpired))
  const keyMaterialIds = expired.map(({ id }) => id)
  await outbox.record(changes, audit.event('DeleteExpiredKeyMaterial', key.arn, { keyMaterialIds }))
  log.info({ event: 'key_material_expired', key: key.arn, keyMaterialIds }, 'Imported key material expired')
}
