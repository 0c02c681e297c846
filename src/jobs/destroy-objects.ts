import { Failure, isUnavailable } from '../errors.ts'
import type { Destruction } from '../model/keys/key.ts'
import type { JobServices } from '../services.ts'
import { destroyMarked } from '../vault/destruction.ts'
import { Backoff } from './backoff.ts'
import { job } from './job.ts'

/** Milliseconds without another attempt on an HSM that is unavailable. */
const pause = 60_000

/**
 * Destroys the HSM objects that are marked for it. A mark remains until the object is certainly gone, so neither a crash nor an HSM that is
 * unavailable leaves one behind.
 */
export const destroyObjects = job({
  name: 'destroy-objects',
  interval: 1000,
  start(services) {
    const failures = new Backoff(services.elapsed)
    /** By name of the HSM; in time of `elapsed`. */
    const pausedUntil = new Map<string, number>()
    return async () => {
      const marked = Map.groupBy(services.storage.destructions.list(), ({ hsm }) => hsm)
      const due = [...marked].filter(([hsm]) => services.elapsed() >= (pausedUntil.get(hsm) ?? 0))
      const destroyed = due.map(async ([hsm, destructions]) => {
        const available = await destroyAll(destructions, failures, services)
        if (!available) pausedUntil.set(hsm, services.elapsed() + pause)
      })
      await Promise.all(destroyed)
    }
  },
})

/** An object that fails does not hold up the others. Resolves to false, at once, if the HSM is unavailable. */
async function destroyAll(
  destructions: readonly Destruction[],
  failures: Backoff,
  services: JobServices,
): Promise<boolean> {
  for (const destruction of destructions) {
    const { object, hsm, keyArn } = destruction
    if (failures.isPaused(object)) continue
    try {
      await destroyMarked(destruction, services)
      failures.succeeded(object)
    } catch (thrown) {
      // Of a disconnected custom key store: it waits until that is connected.
      if (thrown instanceof Failure && thrown.code === 'KeyStoreUnavailable') return false
      services.log.error(
        { event: 'key_destruction_failed', err: thrown, hsm, object, key: keyArn },
        'Destruction of key material failed, will be retried',
      )
      if (isUnavailable(thrown)) return false
      failures.failed(object)
    }
  }
  return true
}
