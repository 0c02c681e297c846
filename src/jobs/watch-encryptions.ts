import { setImmediate } from 'node:timers/promises'
import { encryptionLimit, manyEncryptions, rotationThreshold } from '../model/keys/encryption-limit.ts'
import { currentMaterial, encryptionPurposes, type Key, type KeyMaterial, type SystemKey } from '../model/keys/key.ts'
import { keyState } from '../model/keys/key-state.ts'
import type { JobServices } from '../services.ts'
import { rotateAutomatically } from '../vault/rotation.ts'
import { rotateSealKey } from '../vault/system-keys.ts'
import { job } from './job.ts'

/** Keys between two pauses: a run over 100,000 keys must not keep requests waiting. */
const slice = 1000

/**
 * Warns of keys that have made half of the encryptions that they may, and rotates those that are near the limit: KMS keys whose material was
 * generated here, and seal keys. A canary key takes centuries. Imported material is refused at the limit.
 */
export const watchEncryptions = job({
  name: 'watch-encryptions',
  interval: 60_000,
  start(services) {
    const watch = new EncryptionWatch(services)
    return () => watch.run()
  },
})

/** A key whose encryptions count. */
interface Watched {
  readonly type: 'kms_key' | (typeof encryptionPurposes)[number]
  readonly material: KeyMaterial
  /** ARN; that of the gateway's own is its purpose. */
  readonly key: string
}

class EncryptionWatch {
  readonly #services: JobServices
  /** Materials that were reported, with the number of encryptions from which that was due. */
  readonly #reported = new Map<string, number>()
  /** The highest counts of this run, by HSM. */
  #highest = new Map<string, Record<Watched['type'], number>>()

  constructor(services: JobServices) {
    this.#services = { ...services, hsms: services.hsms.for('rotation') }
  }

  async run(): Promise<void> {
    const { storage, hsms, metrics } = this.#services
    this.#highest = new Map(hsms.all.map(({ name }) => [name, { kms_key: 0, seal: 0, canary: 0 }]))
    for (const { name } of hsms.all) {
      for (const purpose of encryptionPurposes) {
        const systemKey = storage.systemKeys.find(name, purpose)
        if (systemKey === undefined) continue
        const made = this.#look({ type: purpose, material: systemKey.material, key: purpose })
        if (made >= rotationThreshold && purpose === 'seal') await this.#rotateSeal(systemKey, made)
      }
    }
    for (const [index, key] of storage.keys.all().entries()) {
      if (index % slice === slice - 1) await setImmediate()
      const material = key.spec === 'SYMMETRIC_DEFAULT' ? key.materials.at(-1) : undefined
      if (material === undefined) continue
      const made = this.#look({ type: 'kms_key', material, key: key.arn })
      if (made >= rotationThreshold) await this.#rotate(key.arn, material, made)
    }
    for (const [hsm, counts] of this.#highest) metrics.encryptions(hsm, counts)
  }

  /** Returns how many encryptions it has made. */
  #look({ type, material: { id, object }, key }: Watched): number {
    const { storage, log } = this.#services
    const made = storage.encryptions.made(id)
    const highest = object && this.#highest.get(object.hsm)
    if (highest) highest[type] = Math.max(highest[type], made)
    const due = made >= encryptionLimit ? encryptionLimit : manyEncryptions
    if (made < due || this.#reported.get(id) === due) return made
    this.#reported.set(id, due)
    const fields = { hsm: object?.hsm, key, material: id, encryptions: made, limit: encryptionLimit }
    if (due === encryptionLimit)
      log.error({ event: 'encryption_limit_reached', ...fields }, 'Key has made as many encryptions as AES-GCM allows')
    else
      log.warn(
        { event: 'encryption_limit_near', ...fields },
        'Key has made half of the encryptions that AES-GCM allows',
      )
    return made
  }

  /** Only what is still as it was found. */
  async #rotate(arn: string, { id }: KeyMaterial, encryptions: number): Promise<void> {
    const key = this.#services.storage.keys.find(arn)
    if (!key || !isRotatable(key) || currentMaterial(key).id !== id) return
    await this.#attempt(arn, encryptions, (now, why) => rotateAutomatically(key, now, this.#services, why))
  }

  #rotateSeal(seal: SystemKey, encryptions: number): Promise<void> {
    return this.#attempt('seal', encryptions, (now, why) => rotateSealKey(seal, now, this.#services, why))
  }

  async #attempt(key: string, encryptions: number, rotate: (now: number, why: object) => Promise<void>): Promise<void> {
    const { steadyClock, log } = this.#services
    try {
      const now = await steadyClock.now()
      if (now === undefined) return
      await rotate(now, { reason: 'ENCRYPTION_LIMIT', encryptions })
      log.info({ event: 'key_rotated_at_limit', key, encryptions }, 'Key rotated before its limit of encryptions')
    } catch (err) {
      log.error({ event: 'key_rotation_failed', err, key }, 'Key rotation failed, will be retried')
    }
  }
}

/** A replica is rotated with its primary key, which has made the same encryptions. */
function isRotatable(key: Key): boolean {
  return key.multiRegion !== 'REPLICA' && key.origin === 'AWS_KMS' && keyState(key) === 'Enabled'
}
