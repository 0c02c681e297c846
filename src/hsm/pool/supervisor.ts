/** The worker processes of one token: started, replaced, logged in again, and ended. */
import { setTimeout as delay } from 'node:timers/promises'
import { OperatorError } from '../../errors.ts'
import { type Lacks, lacksOfAll } from '../../model/keys/ability.ts'
import type { HsmHealth } from '../hsm.ts'
import { profileOf } from '../profiles/find-profile.ts'
import { type GcmIv, gcmIvLengths, type Profile } from '../profiles/profile.ts'
import { workerCount } from '../profiles/worker-count.ts'
import type { Lane } from '../wire/calls.ts'
import type { CallFailure } from '../wire/messages.ts'
import { type WorkerOptions, workerArgument, workerEnvironment } from '../wire/worker-argument.ts'
import type { Call } from './call.ts'
import { Processes } from './processes.ts'
import { Logins } from './relogin.ts'
import { SilenceWatch, type SilentWorkers } from './watchdog.ts'
import { StartError, type Undone, type WorkerEvents, WorkerProcess } from './worker-process.ts'

export interface FleetOptions extends WorkerOptions {
  /** As the configuration names the HSM. */
  readonly name: string
  /** Name of a profile in profiles/, or path of a YAML file. */
  readonly profile: string
  /** Number of worker processes: see worker-count.ts. Where only one may have the token open, a second one is a spare. */
  readonly workers: number | 'auto'
  /** Milliseconds within which a call is answered. */
  readonly callTimeout: number
  /** Bytes of the IVs that other tokens with the same keys make, once one of them is ready: a token that makes others is not used. */
  readonly ivLength?: (() => number | undefined) | undefined
  readonly log?:
    | ((level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>) => void)
    | undefined
}

/** Whom the fleet tells. */
export interface FleetEvents extends Pick<WorkerEvents, 'returned'> {
  /** Calls that a worker has left behind. */
  unfinished(calls: readonly Call[], reason: string): void
  /** There may be a worker for calls that wait, or no hope of one. */
  changed(): void
}

/** Milliseconds before the first restart after a failed one; doubled each time. An HSM that is back is noticed within the longest. */
const firstPause = 50
const longestPause = 1000
/** How many deadlines a login may take. */
const loginFactor = 5
/** Milliseconds for a worker to end by itself. */
const endGrace = 1000

export class Fleet implements WorkerEvents, SilentWorkers {
  /** Of the profile's form, until a worker has found out the token's. */
  ivLength: number
  /** Of the profile, until a worker has found out the token's. */
  lacks: Lacks
  readonly #options: FleetOptions
  readonly #profile: Profile
  /** Worker processes, with the spare. */
  readonly #count: number
  readonly #events: FleetEvents
  readonly #workers: WorkerProcess[] = []
  /** Those that hang, for as long as a call of theirs may still be answered. */
  readonly #condemned = new Set<WorkerProcess>()
  readonly #processes: Processes
  readonly #closing = new AbortController()
  readonly #silence: SilenceWatch
  readonly #logins: Logins
  #starting: WorkerProcess | undefined
  #replacing: Promise<void> | undefined
  /** Runs while there is no worker. */
  #patience: NodeJS.Timeout | undefined
  #down: { readonly state: Exclude<HsmHealth['state'], 'ready'>; readonly reason: Error } | undefined
  /** Workers in a row that did not start, or died before they answered anything. */
  #failures = 0
  #starts = 0

  constructor(options: FleetOptions, events: FleetEvents) {
    this.#options = options
    this.#events = events
    this.#profile = profileOf(options.profile)
    this.#count = workerCount(options.workers, this.#profile)
    this.ivLength = gcmIvLengths[this.#profile.gcmIv]
    this.lacks = { ...this.#profile.lacks, ...lacksOfAll }
    this.#processes = new Processes({
      start: () => this.#newWorker(),
      isSingle: this.#profile.singleProcess,
      keepsSpare: this.#count > this.#active,
    })
    this.#logins = new Logins(loginFactor * options.callTimeout, {
      isStopped: () => this.#isStopped,
      tried: (worker, failure) => this.#logInTried(worker, failure),
    })
    this.#silence = new SilenceWatch(options.callTimeout, this)
  }

  /** Those that take calls, or will when they have done some. */
  get workers(): readonly WorkerProcess[] {
    return this.#workers
  }

  get health(): HsmHealth {
    const { state = 'ready', reason } = this.#down ?? {}
    return { state, reason: reason?.message, workers: this.#workers.length, starts: this.#starts }
  }

  /** Why no worker can be had: the circuit is open, and calls fail at once. */
  get down(): Error | undefined {
    return this.#down?.reason
  }

  /** Its worker is the only process with the token open: what that does not find is not there. */
  get isAlone(): boolean {
    return this.#profile.singleProcess
  }

  get isClosing(): boolean {
    return this.#closing.signal.aborted
  }

  /**
   * Starts the workers one after another: SoftHSM hides the token from a process that starts while another one logs in. Rejects
   * with an OperatorError of one line when one cannot start; a PIN that was refused is not tried by the next one.
   */
  async start(): Promise<void> {
    const starting = (async () => {
      while (this.#workers.length < this.#active) await this.#startWorker()
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

  /** Goes on trying in the background until all workers are there. @param failure why `start` was in vain */
  startLater(failure?: unknown): void {
    if (failure !== undefined) this.#startFailed(failure as Error)
    this.#replacing ??= this.#replace().finally(() => (this.#replacing = undefined))
  }

  /** Of those that take calls of the lane. */
  leastBusy(lane: Lane, except?: WorkerProcess): WorkerProcess | undefined {
    let chosen: WorkerProcess | undefined
    for (const worker of this.#workers) {
      if (!worker.takes(lane) || worker === except) continue
      if (chosen === undefined || worker.pending < chosen.pending) chosen = worker
    }
    return chosen
  }

  /** Ends the workers, once `drained` resolves: nothing new is started meanwhile. */
  async close(drained: Promise<void>): Promise<void> {
    this.#closing.abort()
    this.#silence.stop()
    this.#endStarts()
    await drained
    await this.#replacing?.catch(() => undefined)
    for (const worker of this.#all()) void worker.end(endGrace)
    await this.#processes.allEnded()
  }

  lost(worker: WorkerProcess, unfinished: readonly Call[], reason: string): void {
    // A worker that was not ready yet: whoever starts it is told.
    if (this.#starting === worker) return
    if (this.#processes.lostSpare(worker)) {
      this.#lostSpare(reason)
      return
    }
    const index = this.#workers.indexOf(worker)
    if (index >= 0) this.#workers.splice(index, 1)
    this.#condemned.delete(worker)
    this.#failures = worker.proven ? 0 : this.#failures + 1
    this.#log('warn', 'An HSM worker was lost.', { pid: worker.pid, reason })
    this.#replaceMissing()
    this.#events.unfinished(unfinished, reason)
  }

  returned(worker: WorkerProcess, call: Call, why: Undone): void {
    if (why === 'loginLost') this.#logins.again(worker)
    this.#events.returned(worker, call, why)
    this.#ended(worker)
  }

  settled(worker: WorkerProcess): void {
    this.#ended(worker)
  }

  wrote({ pid }: WorkerProcess, text: string): void {
    this.#log('warn', 'An HSM worker wrote an error.', { pid, text: text.slice(0, 1000) })
  }

  hasRelief(worker: WorkerProcess): boolean {
    return this.leastBusy('cryptography', worker) !== undefined
  }

  /** Others do its calls, but for the oldest, as long as it says nothing. */
  hesitates(worker: WorkerProcess): void {
    this.#events.unfinished(worker.takeBack(), 'it hesitates')
  }

  /** Another one takes its place, and does its calls, but for the oldest: as long as that may be answered the worker may live, if it may. */
  hangs(worker: WorkerProcess): void {
    this.#log('warn', 'An HSM worker does not answer.', { pid: worker.pid })
    if (this.#profile.singleProcess) {
      worker.condemn('it does not answer')
      return
    }
    this.#workers.splice(this.#workers.indexOf(worker), 1)
    this.#condemned.add(worker)
    this.#events.unfinished(worker.takeBack(), 'it does not answer')
    this.#replaceMissing()
  }

  /** A worker has one call less. */
  #ended(worker: WorkerProcess): void {
    if (worker.pending === 0 && this.#condemned.delete(worker)) void worker.end(endGrace)
    this.#events.changed()
  }

  #all(): readonly WorkerProcess[] {
    return [...this.#workers, ...this.#condemned]
  }

  #logInTried(worker: WorkerProcess, failure: CallFailure | undefined): void {
    if (failure === undefined) {
      this.#log('warn', 'An HSM worker had lost its login, and has logged in again.', { pid: worker.pid })
    } else if (failure.pinRefused) this.#stop(failure.failure.cause as Error)
    else worker.kill()
    this.#events.changed()
  }

  #replaceMissing(): void {
    if (this.isClosing) this.#setDown('unavailable', new Error('The HSM is closing.'))
    else if (!this.#isStopped) this.startLater()
    if (this.#workers.length > 0) return
    const tooLong = () => this.#setDown('unavailable', new Error('No worker could be started yet.'))
    clearTimeout(this.#patience)
    this.#patience = setTimeout(tooLong, this.#options.callTimeout).unref()
  }

  async #replace(): Promise<void> {
    while (this.#workers.length < this.#active && !this.isClosing && !this.#isStopped) {
      try {
        if (this.#failures > 0) await delay(pause(this.#failures), undefined, { signal: this.#closing.signal })
        await this.#startWorker()
      } catch (error) {
        if (this.isClosing) break
        this.#failures++
        this.#log('error', 'An HSM worker could not start.', { reason: (error as Error).message })
        this.#startFailed(error as Error)
      }
    }
    if (this.isClosing) this.#setDown('unavailable', new Error('The HSM is closing.'))
  }

  #startFailed(error: Error): void {
    const reason = error instanceof StartError ? error.reason : 'unavailable'
    if (reason === 'pinRefused') this.#stop(error)
    // One failure may be chance, and calls that wait have time for another try.
    else if (this.#failures > 1 || reason === 'untrusted') this.#setDown(reason, error)
  }

  /** How many have the token open. */
  get #active(): number {
    return this.#profile.singleProcess ? 1 : this.#count
  }

  #keepSpare(): void {
    if (this.isClosing || this.#isStopped) return
    try {
      this.#processes.keepSpare()
    } catch (error) {
      this.#lostSpare((error as Error).message)
    }
  }

  #lostSpare(reason: string): void {
    this.#log('warn', 'There is no spare HSM worker.', { reason })
    setTimeout(() => this.#keepSpare(), longestPause).unref()
  }

  async #startWorker(): Promise<void> {
    if (this.#isStopped) throw new StartError({ message: 'The PIN was refused before.', reason: 'unavailable' })
    const worker = this.#processes.take()
    this.#starting = worker
    try {
      await this.#processes.open(worker, loginFactor * this.#options.callTimeout)
      const { gcm, lacks } = await worker.ready
      this.#checkForm(gcm?.iv)
      this.lacks = lacks
      if (worker.lost) {
        throw new StartError({ message: 'The HSM worker died as soon as it was ready.', reason: 'unavailable' })
      }
      this.#log('info', 'An HSM worker is ready.', { pid: worker.pid })
    } catch (error) {
      await worker.end(endGrace)
      throw error
    } finally {
      this.#starting = undefined
    }
    clearTimeout(this.#patience)
    this.#down = undefined
    this.#starts++
    this.#workers.push(worker)
    this.#events.changed()
    this.#keepSpare()
  }

  /** A ciphertext states the length of its IV, so all who may be given the call must make the same. */
  #checkForm(form: GcmIv | undefined): void {
    if (form === undefined) return
    const own = gcmIvLengths[form]
    const wanted = this.#workers.length > 0 ? this.ivLength : this.#options.ivLength?.()
    if (wanted !== undefined && wanted !== own) {
      const message = `It makes IVs of AES-GCM with ${own} bytes, where the others make ${wanted}.`
      throw new StartError({ message, reason: 'untrusted' })
    }
    this.ivLength = own
  }

  /** Ends those that have not logged in. Not at once: SoftHSM rewrites the token's file at a login, and half of it is a token that is gone. */
  #endStarts(): void {
    void this.#starting?.end(endGrace)
    this.#processes.endSpare(endGrace)
  }

  #newWorker(): WorkerProcess {
    const argument = workerArgument(this.#options, this.#profile)
    return new WorkerProcess(argument, workerEnvironment(this.#options, argument), this)
  }

  /** As long as no worker is left, nothing waits for one. */
  #setDown(state: 'unavailable' | 'untrusted', reason: Error): void {
    if (this.#workers.length > 0 || this.#isStopped) return
    if (this.#down?.state !== state) this.#log('error', 'The HSM cannot be used.', { state, reason: reason.message })
    this.#down = { state, reason }
    this.#events.changed()
  }

  get #isStopped(): boolean {
    return this.#down?.state === 'pinRefused'
  }

  /** Tokens lock themselves after a few wrong PINs: nobody tries it again until the gateway is restarted. */
  #stop(reason: Error): void {
    this.#log('error', 'The PIN was refused; it is not tried again before a restart.', { reason: reason.message })
    this.#down = { state: 'pinRefused', reason }
    for (const worker of this.#workers) worker.kill()
    this.#endStarts()
    this.#events.changed()
  }

  #log(level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#options.log?.(level, message, { hsm: this.#options.name, ...fields })
  }
}

/** Milliseconds to wait after that many failures in a row. */
function pause(failures: number): number {
  return Math.min(longestPause, firstPause * 2 ** (failures - 1))
}
