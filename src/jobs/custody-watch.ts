/** Custody checks of one HSM's keys: runs them in slices, logs faults, and makes keys unavailable and available again. */
import { Failure, isUnavailable } from '../errors.ts'
import {
  type CustodyFault,
  encryptionPurposes,
  type Key,
  type KeyObject,
  objectsOf,
  objectsOfSystemKey,
  type SpareKey,
  systemKeyPurposes,
} from '../model/keys/key.ts'
import type { HeldKey, Hsm, JobServices, KeyInspection } from '../services.ts'
import { Changes, Conflict } from '../storage/storage.ts'
import { heldKey } from '../vault/materials.ts'
import { dropSpare } from '../vault/spare-keys.ts'
import { systemKeyKinds } from '../vault/system-keys.ts'
import { countIds, objectsOn } from './listing.ts'

const minute = 60_000
/** Milliseconds. */
const betweenRounds = 60 * minute
/** Milliseconds between two listings of the HSM's objects while a key has a fault. */
const betweenListings = minute
/** Milliseconds: a round may reuse the listing for orphaned objects, made every five minutes. */
const maxListAge = 5 * minute
/** Milliseconds of a run, once a second: nine tenths of the HSM's time are left to callers. */
const slice = 100
/** Failed checks of a key on a working HSM, after which it is checked again after an hour only. */
const maxFailures = 2

const faults: readonly CustodyFault[] = ['missing', 'duplicate', 'wrong_key', 'wrong_attributes']

/** What is checked: a KMS key, named by its ARN, a system key, by its purpose, or a spare key, by the id of its object. */
interface Subject extends Pick<HeldKey, 'spec' | 'usage'> {
  readonly objects: readonly KeyObject[]
}

interface Finding extends KeyInspection {
  /** The one with the fault, or the last one. */
  readonly object: KeyObject
}

export class CustodyWatch {
  readonly #hsm: Hsm
  readonly #services: JobServices
  /** Names of the subjects still to be checked. */
  readonly #queue = new Set<string>()
  /** Faults found by the last check, by subject. */
  readonly #faults = new Map<string, CustodyFault>()
  /** Duplicate CKA_IDs of the last listing. */
  #duplicates: ReadonlySet<string> = new Set()
  #duplicatesUntil = 0
  readonly #failures = new Map<string, { readonly times: number; readonly until: number }>()
  #loggedInconclusive = false
  /** Workers started, as of the last round. */
  #starts = 0
  /** The token is not the one that holds the keys. */
  #isWrongToken = false
  #nextRound = 0
  #nextList = 0
  #pausedUntil = 0

  constructor(hsm: Hsm, services: JobServices) {
    this.#hsm = hsm
    this.#services = services
  }

  /** One slice. Never rejects. */
  async run(): Promise<void> {
    const { elapsed, log } = this.#services
    if (elapsed() < this.#pausedUntil) return
    try {
      await this.#fillQueue()
      const end = elapsed() + slice
      for (const name of this.#queue) {
        if (await this.#check(name)) this.#queue.delete(name)
        if (elapsed() >= end) break
      }
    } catch (thrown) {
      // An unavailable HSM proves nothing about its keys; the reason is in the log already.
      if (!isUnavailable(thrown)) {
        this.#pausedUntil = elapsed() + minute
        log.error({ event: 'custody_check_failed', err: thrown, hsm: this.#hsm.name }, 'Custody check failed')
      }
    }
    this.#report()
  }

  async #fillQueue(): Promise<void> {
    const now = this.#services.elapsed()
    const { starts, state } = this.#hsm.health
    const isWrongToken = state === 'untrusted'
    // A worker that has started needs no listing: it finds the keys by itself.
    if (starts !== this.#starts || isWrongToken !== this.#isWrongToken || now >= this.#nextRound) {
      if (now >= this.#duplicatesUntil && !isWrongToken) await this.#list(maxListAge)
      this.#isWrongToken = isWrongToken
      this.#starts = starts
      this.#nextRound = now + betweenRounds
      this.#loggedInconclusive = false
      this.#queueAll()
    }
    if (this.#faults.size > 0 && now >= this.#nextList) await this.#queueRepaired(isWrongToken)
  }

  /** Only a listing shows several objects with the same CKA_ID. */
  async #list(maxAge: number): Promise<ReadonlyMap<string, number>> {
    const counts = countIds(await objectsOn(this.#hsm, this.#services, maxAge))
    this.#duplicatesUntil = this.#services.elapsed() + betweenRounds
    this.#duplicates = new Set([...counts].filter(([, count]) => count > 1).map(([id]) => id))
    return counts
  }

  /** Checks again keys whose fault may have been fixed. */
  async #queueRepaired(isWrongToken: boolean): Promise<void> {
    const counts = isWrongToken ? new Map<string, number>() : await this.#list(betweenListings / 2)
    this.#nextList = this.#services.elapsed() + betweenListings
    for (const name of this.#faults.keys()) {
      const subject = this.#subject(name)
      if (subject === undefined) this.#faults.delete(name)
      else if (subject.objects.every(({ id, hsm }) => hsm !== this.#hsm.name || counts.get(id) === 1))
        this.#queue.add(name)
    }
  }

  /** Waiting subjects keep their place, so that rounds in close succession reach all of them. */
  #queueAll(): void {
    const { storage } = this.#services
    for (const purpose of systemKeyPurposes) this.#queue.add(purpose)
    for (const { object } of storage.spareKeys.onHsm(this.#hsm.name)) this.#queue.add(object.id)
    for (const { arn, custodyFault } of storage.keys.onHsm(this.#hsm.name)) {
      this.#queue.add(arn)
      if (custodyFault !== undefined) this.#faults.set(arn, custodyFault)
    }
  }

  #subject(name: string): Subject | undefined {
    const { keys, spareKeys, systemKeys } = this.#services.storage
    const purpose = systemKeyPurposes.find(own => own === name)
    const spare = spareKeys.find(name)
    if (spare !== undefined) return { ...spare, objects: [spare.object] }
    if (purpose === undefined) return withObjects(keys.find(name))
    const own = systemKeys.find(this.#hsm.name, purpose)
    return own && { ...systemKeyKinds[purpose], objects: objectsOfSystemKey(own) }
  }

  /** Resolves to whether the subject is done for now. */
  async #check(name: string): Promise<boolean> {
    const subject = this.#subject(name)
    if (subject === undefined || this.#isDeferred(name)) return true
    let finding: Finding
    try {
      finding = await this.#inspect(subject)
    } catch (thrown) {
      await this.#inconclusive(name, thrown)
      return true
    }
    return this.#record(name, finding)
  }

  #isDeferred(name: string): boolean {
    const failures = this.#failures.get(name)
    if (failures !== undefined && this.#services.elapsed() >= failures.until) this.#failures.delete(name)
    return (this.#failures.get(name)?.times ?? 0) >= maxFailures
  }

  /** `wrong_key` outweighs another fault, as it keeps the objects of a key from being destroyed. */
  async #inspect(subject: Subject): Promise<Finding> {
    let finding: Finding | undefined
    try {
      for (const object of subject.objects) {
        const found = { object, ...(await this.#inspectObject(subject, object)) }
        if (finding?.fault === undefined || found.fault === 'wrong_key') finding = found
        if (found.fault === 'wrong_key') break
      }
    } catch (thrown) {
      // What is wrong with one object is certain, whatever the others are.
      if (finding?.fault === undefined) throw thrown
    }
    return finding!
  }

  /** Only a fault found by two consecutive checks counts. */
  async #inspectObject(subject: Subject, object: KeyObject): Promise<KeyInspection> {
    const { id, hsm: name } = object
    const hsm = this.#services.hsms.named(name)
    const { state, isShared } = hsm.health
    // No worker uses a token without the canary key, so the key cannot be checked; but it is not there either. Other gateways may have it.
    if (state === 'untrusted' && isShared) throw new Failure('KeyUnavailable')
    if (state === 'untrusted') return { fault: 'missing' }
    const key = heldKey(subject, object)
    const isDuplicated = name === this.#hsm.name && this.#duplicates.has(id)
    const depth = isDuplicated ? 'thorough' : 'quick'
    const first = await hsm.inspectKey(key, depth)
    if (first.fault === undefined || (isDuplicated && first.fault === 'duplicate')) return first
    return hsm.inspectKey(key, depth)
  }

  /** Rejects if the HSM does not respond at all, else logs that the check was inconclusive. */
  async #inconclusive(name: string, thrown: unknown): Promise<void> {
    if (isUnavailable(thrown)) {
      this.#queue.delete(name)
      this.#queue.add(name)
      await this.#hsm.random(1)
      // The HSM responds, but not for this key: it must not cost one worker after another.
      const times = (this.#failures.get(name)?.times ?? 0) + 1
      this.#failures.set(name, { times, until: this.#services.elapsed() + betweenRounds })
      throw thrown
    }
    if (this.#loggedInconclusive) return
    this.#loggedInconclusive = true
    const fields = { event: 'key_check_inconclusive', err: thrown, hsm: this.#hsm.name, key: name }
    this.#services.log.warn(fields, 'Key check inconclusive; others of this round are not logged')
  }

  /** False if the key was changed meanwhile: it is checked again soon. */
  async #record(name: string, { object, fault, attributes }: Finding): Promise<boolean> {
    const { storage, audit, outbox, log } = this.#services
    const subject = this.#subject(name)
    if (subject === undefined) this.#faults.delete(name)
    // Given up meanwhile, and perhaps destroyed.
    if (!subject?.objects.some(({ id, hsm }) => id === object.id && hsm === object.hsm)) return subject === undefined
    const known = this.#faults.get(name)
    const fields = { hsm: object.hsm, key: name, object: object.id }
    const purpose = systemKeyPurposes.find(own => own === name)
    if (purpose !== undefined && fault !== known) await this.#recordOwn(purpose, object, fault)
    if (fault === undefined) this.#faults.delete(name)
    else this.#faults.set(name, fault)
    if (fault !== undefined && fault !== known)
      log.error({ event: 'custody_fault', ...fields, fault, attributes }, 'Key fails the custody check')
    if (fault === undefined && known !== undefined)
      log.info({ event: 'custody_restored', ...fields }, 'Key passes the custody check again')
    const spare = storage.spareKeys.find(name)
    if (spare !== undefined && fault !== undefined) return this.#drop(spare)
    const key = storage.keys.find(name)
    if (key === undefined || key.custodyFault === fault) return true
    const details = { objectId: object.id, hsm: object.hsm, ...(fault && { custodyFault: fault }) }
    const event = audit.event(fault === undefined ? 'MarkKeyAvailable' : 'MarkKeyUnavailable', name, details)
    const changes = new Changes()
    changes.put('keys', { ...key, custodyFault: fault })
    try {
      await outbox.record(changes, event)
    } catch (thrown) {
      if (thrown instanceof Conflict) return false
      throw thrown
    }
    return true
  }

  /** A key of the gateway itself. */
  async #recordOwn(
    purpose: string,
    { id: objectId, hsm }: KeyObject,
    custodyFault: CustodyFault | undefined,
  ): Promise<void> {
    const { audit, outbox } = this.#services
    const name = custodyFault === undefined ? 'MarkSystemKeyAvailable' : 'MarkSystemKeyUnavailable'
    await outbox.record(new Changes(), audit.gatewayEvent(name, { hsm, purpose, objectId, custodyFault }))
  }

  /** No key gets it. Its object stays, as it may be another key. On a wrong token nothing is known of it. */
  async #drop(spare: SpareKey): Promise<boolean> {
    if (this.#hsm.health.state === 'untrusted') return true
    this.#faults.delete(spare.object.id)
    try {
      await dropSpare(spare, false, this.#services)
      return true
    } catch (thrown) {
      // A new key has got it meanwhile, and is checked in the next round.
      if (thrown instanceof Conflict) return true
      throw thrown
    }
  }

  #report(): void {
    const { metrics, health } = this.#services
    const found = [...this.#faults.values()]
    const counts = faults.map(fault => [fault, found.filter(other => other === fault).length] as const)
    metrics.custodyFaults(this.#hsm.name, Object.fromEntries(counts))
    // Callers can do without signatures of the audit journal, for which there is an alert.
    const own = encryptionPurposes.filter(purpose => this.#faults.has(purpose)).length
    health.custody(this.#hsm.name, { keys: found.length - own, systemKeys: own })
  }
}

/** Undefined for a key that has none, as its material has expired. */
function withObjects(key: Key | undefined): Subject | undefined {
  const objects = key ? objectsOf(key) : []
  return key && objects.length > 0 ? { ...key, objects } : undefined
}
