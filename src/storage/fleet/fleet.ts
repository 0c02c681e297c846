/**
 * A gateway among others on the same database: its lease, and the promise that an answer is sent only when every gateway with a lease shows
 * what the answer could show.
 *
 * Why that holds. A lease is granted in the clock of the database; its gateway counts it from before it asked, less a margin, and only once
 * its view has the last change at the time of the grant. So when the database says that a lease has ended, its gateway serves no more, or has
 * renewed it, and then shows all that was committed before. A gateway that shows a change waits, before it answers about it, until each
 * member has acknowledged it or has lost its lease: then no gateway can answer otherwise. It is assumed that clocks of a gateway and of the
 * database run equally fast, to within the margin for the length of a lease; they need not agree.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { OperatorError } from '../../errors.ts'
import { coalesced } from '../coalesced.ts'
import type { SqlDatabase } from '../sql-database.ts'
import { Conflict, type Member } from '../storage.ts'
import type { ChangePosition, CurrentRecord } from '../tables/changes.ts'
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

/** Of the length of a lease, for clocks that run at different speeds. */
const margin = 0.02
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
  /** Every member has acknowledged this number. */
  #settled = 0
  /** Of any gateway, in milliseconds. */
  #longestLease: number
  #waiting: PromiseWithResolvers<void>[] = []
  #message = Promise.withResolvers<void>()
  #running: Promise<unknown> = Promise.resolve()
  readonly #closing = new AbortController()

  readonly #acknowledge = coalesced(() =>
    this.#database.acknowledge(this.gateway, this.#options.run, this.#view.position),
  )

  constructor(gateway: string, database: SqlDatabase, view: Followed, options: FleetOptions) {
    this.gateway = gateway
    this.#database = database
    this.#view = view
    this.#options = options
    this.#longestLease = options.lease
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
    const { elapsed, isOver = () => false } = this.#options
    let before = Number.POSITIVE_INFINITY
    for (const begun = elapsed(); ; await this.#pause(second)) {
      try {
        return await this.#renew()
      } catch (error) {
        if (!(error instanceof Conflict)) throw error
      }
      const other = (await this.#database.members()).find(({ gateway }) => gateway === this.gateway)
      if (other === undefined || other.leaseLeft === 0) continue
      if (isOver(other)) await this.#database.endLease(this.gateway, other.run)
      // One that is renewed meanwhile is not of a former run.
      else if (other.leaseLeft > before || elapsed() - begun > this.#longest(other))
        throw new OperatorError(taken(this.gateway))
      before = other.leaseLeft
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
      this.#settled = 0
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
    const reached = this.#reached(last).then(() => true)
    if (answerBy === undefined) return reached
    const late = this.#pause(Math.max(0, answerBy - this.#options.elapsed())).then(() => false)
    return Promise.race([reached, late])
  }

  /** Resolves when every gateway with a lease shows a change. */
  async #reached({ number, shown }: Unsettled): Promise<void> {
    while (this.#settled < number && !this.#closing.signal.aborted) {
      // By then whoever has not applied it has no lease, even if the database cannot be asked.
      if (this.#options.elapsed() - shown > this.#longestLease * (1 + margin)) return
      const waiting = Promise.withResolvers<void>()
      this.#waiting.push(waiting)
      await waiting.promise
    }
  }

  /** Of the fleet, in order of name. */
  members(): Promise<readonly Member[]> {
    return this.#database.members()
  }

  /** Forgets a gateway that certainly runs no more, and its lease. */
  remove(gateway: string): Promise<void> {
    return this.#database.removeGateway(gateway)
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
    this.#release()
    this.#until = { elapsed: 0, clock: 0 }
    await this.#database.endLease(this.gateway, this.#options.run)
  }

  async #renew(): Promise<void> {
    const { clock, elapsed, lease: milliseconds, run, state } = this.#options
    const believed = milliseconds * (1 - margin)
    const until = { elapsed: elapsed() + believed, clock: clock() + believed }
    const { position } = this.#view
    const request = { gateway: this.gateway, run, position, milliseconds, state: state() }
    const { number } = await this.#database.renewLease(request)
    while (this.#view.position.number < number) await this.#view.catchUp()
    this.#until = until
  }

  async #keepRenewing(): Promise<void> {
    const { lease, onLease } = this.#options
    for (let held = true; !this.#closing.signal.aborted; ) {
      await this.#pause(Math.min(renewal, lease / 10))
      await this.#renew().catch(() => {})
      if (held !== this.mayServe) onLease?.(this.mayServe)
      held = this.mayServe
    }
  }

  /** Polling is the truth; messages only shorten the wait. */
  async #follow(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await Promise.race([this.#message.promise, this.#pause(this.#unsettled.size > 0 ? whileUnsettled : whileIdle)])
      this.#message = Promise.withResolvers()
      if (this.#unsettled.size > 0) await this.#settle().catch(() => {})
      this.#release()
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
  #release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { resolve } of waiting) resolve()
  }

  #longest({ leaseLeft }: Member): number {
    this.#longestLease = Math.max(this.#longestLease, leaseLeft)
    return this.#longestLease
  }

  async #settle(): Promise<void> {
    const { number } = this.#view.position
    const members = await this.#database.members()
    const others = members.filter(({ gateway, leaseLeft }) => gateway !== this.gateway && leaseLeft > 0)
    for (const member of members) this.#longest(member)
    this.#settled = Math.min(number, ...others.map(({ applied }) => applied))
    for (const [scope, change] of this.#unsettled) if (change.number <= this.#settled) this.#unsettled.delete(scope)
  }

  /** Ends early when the fleet is closed. */
  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#closing.signal, ref: false }).catch(() => {})
  }
}

function taken(gateway: string): string {
  return `another gateway with this database has the name ${gateway}: set gateway to another name`
}
