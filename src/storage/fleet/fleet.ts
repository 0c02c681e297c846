/**
 * A gateway among others on the same database: its lease, and the promise that an answer is sent only when every gateway with a lease shows
 * what the answer could show.
 *
 * Why that holds. A gateway counts its lease from before it asked for it, less a margin, and only once its view has the last change, by a
 * reading that began after the grant. Others count it from after they have read of it, plus the margin. So when it has ended for somebody else,
 * its gateway serves no more, or has renewed it since, and then shows all that was committed before the others read of it. A gateway that shows
 * a change then reads who has a lease, and waits, before it answers about it, until each of them has acknowledged it or its lease has ended:
 * then no gateway can answer otherwise. Everybody uses their own monotonic clock: it is assumed that these run equally fast, to within the
 * margin for the length of a lease. No time of day decides anything, nor does the clock of the database.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { OperatorError } from '../../errors.ts'
import { coalesced } from '../coalesced.ts'
import type { SqlDatabase } from '../sql-database.ts'
import { Conflict, type Member } from '../storage.ts'
import type { ChangePosition, CurrentRecord } from '../tables/changes.ts'
import { type HeldLease, isSameRenewal, Leases, margin } from './leases.ts'
import { everybody, scopeOf } from './scopes.ts'

export interface FleetOptions {
  /** Of this start: random. */
  readonly run: string
  /** Milliseconds for which a lease is granted. */
  readonly lease: number
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Milliseconds, monotonic. */
  readonly elapsed: () => number
  /** What `strongroom fleet` shows of this gateway: JSON. */
  readonly state: () => string
  /** Told when the lease is lost, and when it is back. */
  readonly onLease?: (holds: boolean) => void
  /** Whether a former run of this gateway has certainly ended. */
  readonly isOver?: (member: Member) => boolean
}

/** The last change of a scope that some member may not show yet. */
interface Unsettled {
  readonly number: number
  /** When it was shown here: monotonic milliseconds. */
  readonly shown: number
}

/** What a fleet needs of the view. */
interface Followed {
  readonly position: ChangePosition
  readonly isReloading: boolean
  catchUp(): Promise<void>
}

/** Milliseconds between readings of what others have acknowledged, if no message comes. */
const whileUnsettled = 50
/** Between looks for changes of others, if no message comes. */
const whileIdle = 250
/** Between renewals, at most. */
const renewal = 2000
const second = 1000

export class Fleet {
  readonly gateway: string
  readonly isAlone = false
  readonly #options: FleetOptions
  readonly #database: SqlDatabase
  readonly #view: Followed
  /** Until when the lease is believed, by both clocks: a suspended machine stops the monotonic one. */
  #until = { elapsed: 0, clock: 0 }
  /** When the view was last known to show every change: monotonic milliseconds. */
  #current: number
  /** Numbers of the last changes that not every member has acknowledged, by scope, and when they were shown. */
  readonly #unsettled = new Map<string, Unsettled>()
  readonly #leases: Leases
  /** Number of the view when they were read last. */
  #read = 0
  /** How often the database went back in time: what was read before says nothing of the changes since. */
  #reloads = 0
  #renewals = 0
  #waiting: PromiseWithResolvers<void>[] = []
  #message = Promise.withResolvers<void>()
  #running: Promise<unknown> = Promise.resolve()
  readonly #closing = new AbortController()

  readonly #look = coalesced(() => this.#lookAtLeases())

  readonly #acknowledge = coalesced(() =>
    this.#database.acknowledge(this.gateway, this.#options.run, this.#view.position),
  )

  constructor(gateway: string, database: SqlDatabase, view: Followed, options: FleetOptions) {
    this.gateway = gateway
    this.#database = database
    this.#view = view
    this.#options = options
    this.#leases = new Leases(options.elapsed)
    this.#current = options.elapsed()
  }

  /** Follows the others, and renews the lease. Resolves once it is held; throws OperatorError if another gateway has the name. */
  async start(): Promise<void> {
    await this.#firstLease()
    this.#database.watch(() => this.#wake())
    this.#running = Promise.all([this.#follow(), this.#keepRenewing()])
  }

  /** The last run of this gateway may not have given its lease back. */
  async #firstLease(): Promise<void> {
    for (;;) {
      try {
        return await this.#renew()
      } catch (error) {
        if (!(error instanceof Conflict)) throw error
      }
      if (!(await this.ended(this.gateway))) throw new OperatorError(taken(this.gateway))
    }
  }

  /** Whether a gateway has certainly lost the lease that another run of it has, for which this waits; not if it renews it: then it runs. */
  async ended(gateway: string): Promise<boolean> {
    const { isOver = () => false } = this.#options
    let first: HeldLease | undefined
    for (; ; await this.#pause(second)) {
      await this.#look()
      const held = this.#leases.held.find(lease => lease.gateway === gateway)
      if (held === undefined) return true
      if (isOver(held)) {
        await this.#database.endLease(gateway, held)
        return true
      }
      first ??= held
      if (!isSameRenewal(first, held) || this.#closing.signal.aborted) return false
    }
  }

  /** Of this start. */
  get run(): string {
    return this.#options.run
  }

  /** Number of the last change in the view. */
  get applied(): number {
    return this.#view.position.number
  }

  /** Whether this gateway may serve. */
  get mayServe(): boolean {
    const { clock, elapsed } = this.#options
    return elapsed() < this.#until.elapsed && clock() < this.#until.clock && !this.#view.isReloading
  }

  /** Milliseconds for which it may serve if it is not renewed. */
  get leaseLeft(): number {
    const { clock, elapsed } = this.#options
    return Math.max(0, Math.min(this.#until.elapsed - elapsed(), this.#until.clock - clock()))
  }

  /** Milliseconds since the view was known to show every change. */
  get lag(): number {
    return this.#options.elapsed() - this.#current
  }

  /** Records that changed up to a number are in the view. Undefined: possibly all. */
  advanced(number: number, records: readonly Pick<CurrentRecord, 'noun' | 'key'>[] | undefined): void {
    const change = { number, shown: this.#options.elapsed() }
    // After a database went back in time, some numbers come again, and for all others nobody need wait any more.
    if (records === undefined) {
      this.#read = 0
      this.#reloads++
      this.#unsettled.clear()
      this.#unsettled.set(everybody, change)
    }
    for (const { noun, key } of records ?? []) {
      const scope = scopeOf(noun, key)
      if (scope !== undefined) this.#unsettled.set(scope, change)
    }
    this.#acknowledge().catch(() => {})
    this.#wake()
  }

  /**
   * Undefined if every gateway with a lease shows what this one shows of some keys, else resolves when it does.
   *
   * @param keys ARNs. Default: all that there is
   * @param answerBy monotonic milliseconds, at which it resolves to false
   */
  settled(keys?: readonly string[], answerBy?: number): Promise<boolean> | undefined {
    if (this.#unsettled.size === 0) return undefined
    const scopes = keys === undefined ? [...this.#unsettled.keys()] : [everybody, ...keys]
    const changes = scopes.flatMap(scope => this.#unsettled.get(scope) ?? [])
    if (changes.length === 0) return undefined
    const last = changes.reduce((last, change) => (change.number > last.number ? change : last))
    return this.#reached(last, answerBy)
  }

  /** Resolves to true when every gateway that may serve shows a change. */
  async #reached({ number, shown }: Unsettled, answerBy = Number.POSITIVE_INFINITY): Promise<boolean> {
    const { elapsed, lease } = this.#options
    while (this.#settled < number) {
      const now = elapsed()
      // Without the database nobody knows which others there are.
      const isBlind = this.#read < number && now - shown > lease * (1 + margin)
      if (isBlind || now >= answerBy || this.#closing.signal.aborted) return false
      await this.#next(answerBy - now)
    }
    return true
  }

  /** Every gateway that may serve shows changes up to this number. */
  get #settled(): number {
    const now = this.#options.elapsed()
    const behind = this.#others.filter(({ until }) => now < until)
    return Math.min(this.#read, ...behind.map(({ applied }) => applied))
  }

  get #others(): readonly HeldLease[] {
    return this.#leases.held.filter(({ run }) => run !== this.run)
  }

  /** Resolves when those who wait look again, or after some milliseconds. */
  #next(milliseconds: number): Promise<void> {
    const waiting = Promise.withResolvers<void>()
    this.#waiting.push(waiting)
    if (milliseconds === Number.POSITIVE_INFINITY) return waiting.promise
    const timer = setTimeout(waiting.resolve, milliseconds)
    return waiting.promise.finally(() => clearTimeout(timer))
  }

  /** Of the fleet, in order of name. */
  members(): Promise<readonly Member[]> {
    return this.#database.members()
  }

  /** Forgets a gateway that runs no more, and its lease. Resolves to false, having done nothing, if it renews that. */
  async remove(gateway: string): Promise<boolean> {
    const { elapsed } = this.#options
    const leaseLeft = async () => (await this.members()).find(member => member.gateway === gateway)?.leaseLeft ?? 0
    const until = elapsed() + 1.5 * renewal
    for (let before = await leaseLeft(); before > 0 && elapsed() < until; ) {
      await sleep(renewal / 10)
      const left = await leaseLeft()
      if (left > before) return false
      before = left
    }
    await this.#database.removeGateway(gateway)
    return true
  }

  /** Forgets what was committed longer ago, in milliseconds. */
  prune(age: number): Promise<void> {
    return this.#database.pruneChanges(age)
  }

  /** Gives the lease back. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#wake()
    await this.#running
    this.#settle()
    this.#until = { elapsed: 0, clock: 0 }
    await this.#database.endLease(this.gateway, { run: this.run })
  }

  async #renew(): Promise<void> {
    const { clock, elapsed, lease: milliseconds, run, state } = this.#options
    const believed = milliseconds * (1 - margin)
    const until = { elapsed: elapsed() + believed, clock: clock() + believed }
    const { position } = this.#view
    const renewal = ++this.#renewals
    const request = { gateway: this.gateway, run, position, milliseconds, renewal, state: state() }
    await this.#database.renewLease(request)
    // With a reading that begins now: whoever has not read of this renewal waits for nobody, and may have committed until it was made.
    await this.#view.catchUp()
    this.#until = until
  }

  async #keepRenewing(): Promise<void> {
    const { lease, onLease } = this.#options
    for (let held = true; !this.#closing.signal.aborted; ) {
      await this.#pause(Math.min(renewal, lease / 10))
      await this.#renew().catch(() => {})
      await this.#look().catch(() => {})
      if (held !== this.mayServe) onLease?.(this.mayServe)
      held = this.mayServe
    }
  }

  /** Polling is the truth; messages only shorten the wait. */
  async #follow(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await Promise.race([this.#message.promise, this.#pause(this.#unsettled.size > 0 ? whileUnsettled : whileIdle)])
      this.#message = Promise.withResolvers()
      if (this.#unsettled.size > 0) await this.#look().catch(() => {})
      this.#settle()
      await this.#catchUp().catch(() => {})
    }
  }

  async #catchUp(): Promise<void> {
    const begun = this.#options.elapsed()
    await this.#view.catchUp()
    this.#current = begun
  }

  #wake(): void {
    this.#message.resolve()
  }

  /** Those who wait look again. */
  #settle(): void {
    const settled = this.#settled
    for (const [scope, change] of this.#unsettled) if (change.number <= settled) this.#unsettled.delete(scope)
    const waiting = this.#waiting
    this.#waiting = []
    for (const { resolve } of waiting) resolve()
  }

  /** At those who have a lease. What has ended is ended for everybody: a gateway that starts then need not wait for it. */
  async #lookAtLeases(): Promise<void> {
    // An own commit may be shown before those that came before it.
    const number = Math.max(this.applied, ...[...this.#unsettled.values()].map(({ number }) => number))
    const reloads = this.#reloads
    const members = await this.#database.members()
    if (reloads !== this.#reloads) return
    this.#leases.note(members)
    this.#read = number
    const ended = this.#leases.ended.filter(({ run }) => run !== this.run)
    for (const lease of ended) await this.#database.endLease(lease.gateway, lease)
  }

  /** Ends early when the fleet is closed. */
  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#closing.signal, ref: false }).catch(() => {})
  }
}

function taken(gateway: string): string {
  return `another gateway with this database has the name ${gateway}: set gateway to another name`
}
