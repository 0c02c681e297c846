import { type Key, materialsOf, nextExpiry } from '../model/keys/key.ts'
import type { JobServices } from '../services.ts'
import { Changes, Conflict } from '../storage/storage.ts'
import { removeImported } from '../vault/imported-material.ts'
import { job } from './job.ts'

/** Milliseconds for which a reading of the clock is extrapolated: each one is written to disk. Also until a retry. */
const maximumAge = 60_000

/**
 * Takes imported key material from its key when it expires, within a second; its object is marked for destruction. While the clock
 * is not stable nothing expires, as nothing is deleted.
 */
export const deleteExpiredKeyMaterial = job({
  name: 'delete-expired-key-material',
  interval: 1000,
  start(services) {
    const { storage, steadyClock, elapsed } = services
    /** Without a time: nothing expires for now. */
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
      for (const { arn } of dueAt(now)) {
        if (!(await expireAll(arn, now!, services))) reading = { now: undefined, at: elapsed() }
      }
    }
  },
})

/** Resolves to false if it failed for a reason that will last. */
async function expireAll(arn: string, now: number, services: JobServices): Promise<boolean> {
  try {
    for (let key = expired(arn, now, services); key; key = expired(arn, now, services)) await expireOne(key, services)
    return true
  } catch (thrown) {
    // The material was just imported again, or its key deleted.
    if (thrown instanceof Conflict) return true
    const fields = { event: 'key_expiry_failed', err: thrown, key: arn } as const
    services.log.error(fields, 'Expiry of key material failed, will be retried')
    return false
  }
}

function expired(arn: string, now: number, { storage }: Pick<JobServices, 'storage'>): Key | undefined {
  const key = storage.keys.find(arn)
  return key && (nextExpiry(key) ?? Number.POSITIVE_INFINITY) <= now ? key : undefined
}

/** The first one, in one commit with its event. */
async function expireOne(key: Key, { storage, audit, outbox, log }: JobServices): Promise<void> {
  const validTo = nextExpiry(key)
  const material = materialsOf(key).find(({ object, imported }) => object && imported?.validTo === validTo)!
  const changes = new Changes()
  removeImported(changes, key, material, storage)
  const details = { keyId: key.id, keyMaterialId: material.id }
  await outbox.record(
    changes,
    audit.event('DeleteExpiredKeyMaterial', key.arn, details, { member: 'serviceEventDetails' }),
  )
  log.info({ event: 'key_material_expired', key: key.arn, material: material.id }, 'Imported key material expired')
}
