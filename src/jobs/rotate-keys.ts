import { isUnavailable } from '../errors.ts'
import { currentMaterial, type Key, objectOf } from '../model/keys/key.ts'
import { keyState } from '../model/keys/key-state.ts'
import { rotationDate } from '../model/keys/rotation.ts'
import type { JobServices } from '../services.ts'
import { Conflict } from '../storage/storage.ts'
import { rotateAutomatically } from '../vault/rotation.ts'
import { Backoff } from './backoff.ts'
import { job } from './job.ts'

const minute = 60_000
/** Milliseconds of a run, after which the gateway may stop. */
const slice = 1000
/** Milliseconds between two rotations at most, however long one takes: 10,000 keys are rotated within a day. */
const longestRest = 5000
/** To rotate a key that others change meanwhile. */
const attempts = 10

/**
 * Rotates keys whose automatic rotation is due, one after another, and rests in between: some HSMs answer nobody else while they generate a
 * key. A key that fails does not hold up the others.
 */
export const rotateKeys = job({
  name: 'rotate-keys',
  interval: 100,
  start(services) {
    const rotations = new Rotations(services)
    return () => rotations.run()
  },
})

class Rotations {
  readonly #services: JobServices
  /** ARNs of keys that are due. */
  #queue = new Set<string>()
  /** By which the time of day was ahead of `elapsed` at the last scan. */
  #ahead = 0
  #nextScan = 0
  #restUntil = 0
  /** HSMs that were unavailable since the last scan. */
  readonly #unavailable = new Set<string>()
  readonly #failures: Backoff

  constructor(services: JobServices) {
    this.#services = { ...services, hsms: services.hsms.for('rotation') }
    this.#failures = new Backoff(services.elapsed)
  }

  async run(): Promise<void> {
    const { elapsed, rotationTimeShare } = this.#services
    if (elapsed() < this.#restUntil) return
    if (elapsed() >= this.#nextScan) await this.#scan()
    const end = elapsed() + slice
    for (const arn of this.#queue) {
      const start = elapsed()
      this.#queue.delete(arn)
      await this.#rotate(arn)
      this.#restUntil = start + Math.min((elapsed() - start) / rotationTimeShare, longestRest)
      if (elapsed() < this.#restUntil || elapsed() >= end) break
    }
  }

  async #scan(): Promise<void> {
    const { elapsed, steadyClock, storage, metrics } = this.#services
    this.#nextScan = elapsed() + minute
    this.#queue.clear()
    // A clock set forward would rotate every key, and each rotation leaves an object on the HSM.
    const now = await steadyClock.now()
    if (now === undefined) return
    this.#ahead = now - elapsed()
    const due = new Set(storage.keys.dueForRotation(now).map(({ arn }) => arn))
    metrics.dueForRotation(due.size)
    this.#failures.retain(due)
    this.#unavailable.clear()
    this.#queue = due
  }

  async #rotate(arn: string): Promise<void> {
    const { outbox, log } = this.#services
    if (this.#failures.isPaused(arn)) return
    try {
      await this.#retried(arn)
      this.#failures.succeeded(arn)
    } catch (thrown) {
      this.#postpone(arn, thrown)
      log.error({ event: 'key_rotation_failed', err: thrown, key: arn }, 'Key rotation failed, will be retried')
      // If nothing can be recorded, that would be logged for each of the others.
      await outbox.ready().catch((error: unknown) => {
        this.#queue.clear()
        throw error
      })
    }
  }

  /** A key that was changed since it was read is read again. */
  async #retried(arn: string): Promise<void> {
    const { elapsed, storage } = this.#services
    for (let attempt = 1; ; attempt++) {
      const key = storage.keys.find(arn)
      const now = elapsed() + this.#ahead
      const date = key && rotationDate(key)
      if (key === undefined || date === undefined || date > now) return
      if (keyState(key, storage.customKeyStores.ofKey(key)) !== 'Enabled') return
      if (hsmsOf(key, storage).some(hsm => this.#unavailable.has(hsm))) return
      try {
        return await rotateAutomatically(key, now, this.#services)
      } catch (thrown) {
        if (!(thrown instanceof Conflict) || attempt === attempts) throw thrown
      }
    }
  }

  #postpone(arn: string, thrown: unknown): void {
    this.#failures.failed(arn)
    const { storage, hsms } = this.#services
    const key = storage.keys.find(arn)
    if (!key || !isUnavailable(thrown)) return
    const [own, ...others] = hsmsOf(key, storage)
    // The others have the key material of replicas: its own is not to blame for one of them.
    const isAway = (name: string) => !hsms.all.some(hsm => hsm.name === name && hsm.health.state === 'ready')
    const away = others.filter(isAway)
    for (const name of away.length === 0 ? [own!] : away) this.#unavailable.add(name)
  }
}

/** The HSMs that get the next key material of a key: its own first, then those of its related multi-Region keys. */
function hsmsOf(key: Key, { keys }: JobServices['storage']): readonly string[] {
  return [...new Set([key, ...keys.related(key)].map(one => objectOf(currentMaterial(one)).hsm))]
}
