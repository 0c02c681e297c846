/** The worker processes of one token: started, replaced, logged in again, and ended. */
import { setTimeout as delay } from 'node:timers/promises'
import { OperatorError } from '../../errors.ts'
import type { HsmHealth } from '../hsm.ts'
import { profileOf } from '../profiles/find-profile.ts'
import type { Profile } from '../profiles/profile.ts'
import { workerCount } from '../profiles/worker-count.ts'
import type { Lane } from '../wire/calls.ts'
import type { CallFailure } from '../wire/messages.ts'
import { mayMissKeys, workerArgument, workerEnvironment } from '../wire/worker-argument.ts'
import { Availability } from './availability.ts'
import { type Call, unavailable } from './call.ts'
import { Misses } from './misses.ts'
import { PoolLog } from './pool-log.ts'
import type { PoolOptions } from './pool-options.ts'
import { Processes } from './processes.ts'
import { Relogin } from './relogin.ts'
import { TokenAbilities } from './token-abilities.ts'
import { Watchdog, type Watched } from './watchdog.ts'
import { StartError, type Undone, type WorkerEvents, WorkerProcess } from './worker-process.ts'
import type { WorkerState } from './worker-state.ts'

/** Notified by the supervisor. */
export interface SupervisorEvents {
  /** Calls of a worker that it will not answer. */
  unfinished(calls: readonly Call[], reason: string): void
  /** A worker returned a call that it could not execute. */
  returned(call: Call, why: Undone): void
  /** A worker may take calls that wait, or the HSM became unavailable. */
  changed(): void
}

/** Milliseconds before a restart after a failed one; doubled each time, up to the longest, within which a recovered HSM is noticed. */
const firstPause = 50
const longestPause = 1000
/** The time-out of a login, in multiples of `callTimeout`. */
const loginFactor = 5
/** Milliseconds that a worker serves before it is replaced because it does not find a key: many keys may be missing. */
const leastAge = 1000
/** Milliseconds for a worker to end by itself. */
const endGrace = 1000

export class Supervisor implements WorkerEvents, Watched {
  readonly abilities: TokenAbilities
  readonly #options: PoolOptions
  readonly #profile: Profile
  /** Worker processes, including the spare. */
  readonly #count: number
  readonly #events: SupervisorEvents
  readonly #log: PoolLog
  readonly #processes = new Processes(() => this.#newWorker())
  readonly #availability: Availability
  readonly #closing = new AbortController()
  readonly #watchdog: Watchdog
  readonly #relogin: Relogin
  /** Undefined if what a worker does not find is missing. */
  readonly misses: Misses | undefined
  #replacing: Promise<void> | undefined
  /** Consecutive workers that did not start, or died before they answered a call. */
  #failures = 0
  #starts = 0

  constructor(options: PoolOptions, events: SupervisorEvents) {
    this.#options = options
    this.#events = events
    this.#profile = profileOf(options.profile)
    this.#count = workerCount(options.workers, this.#profile)
    this.abilities = new TokenAbilities(this.#profile)
    this.misses = mayMissKeys(options, this.#profile) ? new Misses() : undefined
    this.#log = new PoolLog(options.name, options.log)
    this.#availability = new Availability(this.#log, () => events.changed())
    this.#relogin = new Relogin(loginFactor * options.callTimeout, {
      isStopped: () => this.#availability.isStopped,
      tried: (worker, failure) => this.#logInTried(worker, failure),
    })
    this.#watchdog = new Watchdog(options.callTimeout, this)
  }

  /** The workers that serve. */
  get workers(): readonly WorkerProcess[] {
    return this.#processes.serving
  }

  get health(): HsmHealth {
    const { state, reason } = this.#availability
    const restarts = Math.max(0, this.#starts - this.#active)
    const { isShared = false } = this.#options
    const workers = this.workers.length
    return { state, reason: reason?.message, workers, starts: this.#starts, restarts, isShared }
  }

  /** Why the HSM is unavailable, if it is: calls fail at once. */
  get down(): Error | undefined {
    return this.#availability.reason
  }

  /** Only one worker has the token open: a key that it does not find does not exist. */
  get hasSingleProcess(): boolean {
    return this.#profile.singleProcess
  }

  get isClosing(): boolean {
    return this.#closing.signal.aborted
  }

  /**
   * Starts the workers one after another: SoftHSM hides the token from a process that starts while another one logs in, and a refused PIN
   * must not be tried again. Rejects with an OperatorError if one cannot start.
   */
  async start(): Promise<void> {
    const starting = (async () => {
      while (this.workers.length < this.#active) await this.#startWorker()
    })()
    this.#replacing = starting
    try {
      await starting
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error
      throw new OperatorError(`HSM ${this.#options.name}: ${error.message}`, { cause: error })
    } finally {
      this.#replacing = undefined
    }
  }

  /** Keeps trying in the background until all workers are ready. @param failure of `start` */
  startLater(failure?: unknown): void {
    if (failure !== undefined) this.#startFailed(failure as Error)
    this.#replacing ??= this.#replace().finally(() => (this.#replacing = undefined))
  }

  leastBusy(lane: Lane): WorkerProcess | undefined {
    return this.#processes.leastBusy(lane)
  }

  hasAlternative(worker: WorkerProcess): boolean {
    return this.#processes.leastBusy('cryptography', worker) !== undefined
  }

  /** Starts no more workers, and ends them once `drained` resolves. */
  async close(drained: Promise<void>): Promise<void> {
    this.#closing.abort()
    this.#watchdog.stop()
    this.#endStarts()
    await drained
    await this.#replacing?.catch(() => undefined)
    this.#availability.close()
    await this.#processes.endAll(endGrace)
  }

  lost(worker: WorkerProcess, from: WorkerState, unfinished: readonly Call[], reason: string): void {
    // `#startWorker` handles it.
    if (from === 'starting') return
    if (from === 'spare') {
      this.#spareLost(reason)
      return
    }
    this.#failures = worker.hasAnswered ? 0 : this.#failures + 1
    this.#log.workerLost(worker, reason)
    this.#replaceMissing()
    this.#events.unfinished(unfinished, reason)
  }

  returned(worker: WorkerProcess, call: Call, why: Undone): void {
    if (why === 'missing' && this.misses?.isProof(call.object!, worker.openedAt) === false) {
      this.#replaceOutdated(worker, call)
      return
    }
    if (why === 'loginLost') this.#relogin.add(worker)
    this.#events.returned(call, why)
    this.settled(worker)
  }

  /** The worker has one call less. */
  settled(worker: WorkerProcess): void {
    if (worker.state === 'hung' && worker.pending === 0) void worker.end(endGrace)
    this.#events.changed()
  }

  wrote(worker: WorkerProcess, text: string): void {
    this.#log.workerWrote(worker, text)
  }

  /** Other workers take over its calls except the oldest, until it writes again. */
  suspects(worker: WorkerProcess): void {
    worker.advance('suspect')
    this.#events.unfinished(worker.takeBack(), 'it is silent')
  }

  /** Replaces the worker. Its oldest call may still be answered; others take over the rest. */
  hangs(worker: WorkerProcess): void {
    this.#log.workerUnresponsive(worker)
    if (this.#profile.singleProcess) {
      worker.condemn('it does not answer')
      return
    }
    worker.advance('hang')
    this.#events.unfinished(worker.takeBack(), 'it does not answer')
    this.#replaceMissing()
  }

  /** The next worker may find the key of the call. */
  #replaceOutdated(worker: WorkerProcess, call: Call): void {
    const reason = 'another gateway may have created the key since it opened the token'
    call.lastFailure = unavailable(new Error(`The HSM worker does not find a key: ${reason}`))
    const replace = () => {
      worker.abandon(reason)
      this.#events.unfinished([call], reason)
    }
    setTimeout(replace, worker.openedAt + leastAge - performance.now())
  }

  #logInTried(worker: WorkerProcess, failure: CallFailure | undefined): void {
    if (failure === undefined) this.#log.workerLoggedInAgain(worker)
    else if (failure.pinRefused) this.#stop((failure.failure.cause as Error | undefined) ?? failure.failure)
    else worker.kill()
    this.#events.changed()
  }

  #replaceMissing(): void {
    if (this.isClosing) this.#downAsClosing()
    else if (!this.#availability.isStopped) this.startLater()
    if (this.workers.length === 0) this.#availability.downAfter(this.#options.callTimeout)
  }

  async #replace(): Promise<void> {
    while (this.workers.length < this.#active && !this.isClosing && !this.#availability.isStopped) {
      try {
        if (this.#failures > 0) await delay(pause(this.#failures), undefined, { signal: this.#closing.signal })
        await this.#startWorker()
      } catch (error) {
        if (this.isClosing) break
        this.#failures++
        this.#log.workerStartFailed(error as Error)
        this.#startFailed(error as Error)
      }
    }
    if (this.isClosing) this.#downAsClosing()
  }

  #startFailed(error: Error): void {
    const reason = error instanceof StartError ? error.reason : 'unavailable'
    if (reason === 'pinRefused') this.#stop(error)
    // The first failure may be transient, and waiting calls have time for another attempt.
    else if (this.#failures > 1 || reason === 'untrusted') this.#down(reason, error)
  }

  /** How many workers have the token open. */
  get #active(): number {
    return this.#profile.singleProcess ? 1 : this.#count
  }

  #keepSpare(): void {
    const isKept = this.#count > this.#active && !this.isClosing && !this.#availability.isStopped
    if (!isKept || this.#processes.in('spare').length > 0) return
    try {
      this.#processes.add()
    } catch (error) {
      this.#spareLost((error as Error).message)
    }
  }

  #spareLost(reason: string): void {
    this.#log.spareLost(reason)
    setTimeout(() => this.#keepSpare(), longestPause).unref()
  }

  async #startWorker(): Promise<void> {
    if (this.isClosing) throw new StartError({ message: 'the HSM is closing', reason: 'unavailable' })
    if (this.#availability.isStopped) {
      throw new StartError({ message: 'the PIN was refused before', reason: 'unavailable' })
    }
    const worker = this.#processes.take()
    try {
      if (this.#profile.singleProcess) await this.#processes.closedByOthers(worker)
      await this.#open(worker)
      const capabilities = await worker.ready
      const wanted = this.workers.length > 0 ? this.abilities.ivLength : this.#options.ivLength?.()
      const misfit = this.abilities.learn(capabilities, wanted)
      if (misfit !== undefined) throw new StartError({ message: misfit, reason: 'untrusted' })
      if (!worker.advance('admit')) {
        throw new StartError({ message: 'the HSM worker died as soon as it was ready', reason: 'unavailable' })
      }
      this.#log.workerReady(worker)
    } catch (error) {
      await worker.end(endGrace)
      throw error
    }
    this.#availability.up()
    this.#starts++
    this.#events.changed()
    this.#keepSpare()
  }

  async #open(worker: WorkerProcess): Promise<void> {
    const pin = await this.#options.pin?.()
    worker.open(loginFactor * this.#options.callTimeout, pin)
    pin?.fill(0)
  }

  /** Ends workers that have not logged in. With a grace period: SoftHSM killed while it rewrites the token's file at a login loses the token. */
  #endStarts(): void {
    this.#processes.end(endGrace, ['starting', 'spare'])
  }

  #newWorker(): WorkerProcess {
    const sharers = this.#active * (this.#options.gateways ?? 1)
    const argument = workerArgument({ ...this.#options, sharers }, this.#profile)
    return new WorkerProcess(argument, workerEnvironment(this.#options, argument), this)
  }

  /** Ignored while a worker serves. */
  #down(state: 'unavailable' | 'untrusted', reason: Error): void {
    if (this.workers.length === 0) this.#availability.down(state, reason)
  }

  #downAsClosing(): void {
    this.#down('unavailable', new Error('the HSM is closing'))
  }

  #stop(reason: Error): void {
    for (const worker of this.workers) worker.kill()
    this.#endStarts()
    this.#availability.stop(reason)
  }
}

/** Milliseconds to wait after so many consecutive failures. */
function pause(failures: number): number {
  return Math.min(longestPause, firstPause * 2 ** (failures - 1))
}
