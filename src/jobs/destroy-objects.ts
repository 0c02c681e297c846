import type { Destruction } from '../model/keys/key.ts'
import type { JobServices } from '../services.ts'
import { destroyMarked } from '../vault/destruction.ts'
import { job } from './job.ts'

/** Milliseconds without another attempt on an HSM after one that failed. */
const pause = 60_000

/**
 * Destroys the HSM objects that are marked for it. A mark remains until the object is certainly gone, so neither a crash nor an HSM that is
 * unavailable leaves one behind.
 */
export const destroyObjects = job({
  name: 'destroy-objects',
  interval: 1000,
  start(services) {
    /** By name of the HSM; in time of `elapsed`. */
    const pausedUntil = new Map<string, number>()
    return async () => {
      const marked = Map.groupBy(services.storage.destructions.list(), ({ hsm }) => hsm)
      const due = [...marked].filter(([hsm]) => services.elapsed() >= (pausedUntil.get(hsm) ?? 0))
      const destroyed = due.map(async ([hsm, destructions]) => {
        const failed = await destroyAll(destructions, services)
        if (failed) pausedUntil.set(hsm, services.elapsed() + pause)
      })
      await Promise.all(destroyed)
    }
  },
})

/** Resolves to whether any failed. */
async function destroyAll(destructions: readonly Destruction[], services: JobServices): Promise<boolean> {
  let failed = false
  for (const destruction of destructions) {
    try {
      await destroyMarked(destruction, services)
    } catch (thrown) {
      failed = true
      const { object, hsm, keyArn } = destruction
      services.log.error(
        { event: 'key_destruction_failed', err: thrown, hsm, object, key: keyArn },
        'Destruction of key material failed, will be retried',
      )
    }
  }
  return failed
}
