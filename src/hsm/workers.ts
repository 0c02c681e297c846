/** The worker processes of one token: fed, watched and replaced. */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { Failure, OperatorError } from '../errors.ts'
import type { Backend, CallOptions } from './backend.ts'
import { ChangeTurns } from './change-turns.ts'
import type { TokenAddress } from './connection.ts'
import { FairQueue } from './fair-queue.ts'
import type { HsmCall, HsmHealth } from './hsm.ts'
import { type CallFailure, type CallName, calls } from './messages.ts'
import { gcmIvLengths, type Profile } from './profiles/profile.ts'
import { profileOf } from './profiles.ts'
import { type Call, StartError, timedOut, type WorkerEvents, WorkerProcess } from './worker-process.ts'

export interface WorkersOptions extends TokenAddress {
  /** As the configuration names it. */
  readonly name: string
  /** Name of a profile in profiles/, or path of a YAML file. */
  readonly profile: string
  /** File whose only line is the user PIN. Only the workers read it. */
  readonly pinFile: string
  /** Number of worker processes; two, so that one can die. */
  readonly workers: number
  /** Sessions of each worker; by default those of the profile. */
  readonly sessions?: number | undefined
  /** Calls that may wait for a worker; one more is refused with ThrottlingException. */
  readonly queue: number
  /** Milliseconds within which a call is answered; calls that create, destroy or list objects get five times as much. */
  readonly deadline: number
  /** What an HSM lacks is not made up for by the worker where that would show it what the HSM alone should see. */
  readonly strictCustody: boolean
  /** The whole environment of the workers, for example SOFTHSM2_CONF: nothing else is handed over. */
  readonly environment: Readonly<Record<string, string>>
  /** Material id of the key by which the token is known to be the right one and to work; nothing before there is one. */
  readonly canary?: () => string | undefined
  readonly observe?: (call: HsmCall) => void
  readonly log?: (level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>) => void
}

const managementFactor = 5

/** How many times the deadline a call of that name has. */
export function deadlineFactor(name: CallName): number {
  return calls[name].lane === 'management' ? managementFactor : 1
}

/** A call that kills its worker is not given to every worker there is. */
const maximumAttempts = 4
/** Milliseconds before the first restart after a failed one; doubled each time. An HSM that is back is noticed within the longest. */
const firstPause = 50
const longestPause = 1000
/** For this share of the deadline calls wait for the last worker to be replaced; if it takes longer, they fail at once. */
const patience = 0.5
/** Milliseconds for a worker to end by itself. */
const endGrace = 1000
/** Milliseconds before a call that came back from a busy HSM is sent again; doubled each time. */
const firstBackOff = 10
/** A worker that says nothing for this share of the deadline gets no more calls, and another one is started. */
const silence = 0.25
/** Threads of libuv's pool beside those of the sessions. */
const sparePoolThreads = 4

export class Workers implements Backend, WorkerEvents {
  readonly name: string
  /** Of the profile's form, until a worker has found out the token's. */
  ivLength: number
  readonly #options: WorkersOptions
  readonly #profile: Profile
  readonly #sessions: number
  readonly #workers: WorkerProcess[] = []
  /** Those that hang, for as long as a call of theirs may still be answered. */
  readonly #condemned = new Set<WorkerProcess>()
  readonly #queue: FairQueue<Call>
  readonly #changes: ChangeTurns
  readonly #closing = new AbortController()
  readonly #watch: NodeJS.Timeout
  #starting: WorkerProcess | undefined
  #replacing: Promise<void> | undefined
  /** One worker after another: a PIN that was refused is not tried by the next one. */
  #logins: Promise<unknown> = Promise.resolve()
  /** Why no worker can be had: the circuit is open, and calls fail at once. */
  #down: { readonly state: Exclude<HsmHealth['state'], 'ready'>; readonly reason: Error } | undefined
  /** Workers in a row that did not start, or died before they answered anything. */
  #failures = 0
  #starts = 0
  #pending = 0
  #chosen: WorkerProcess | undefined
  #drained: (() => void) | undefined

  constructor(options: WorkersOptions) {
    this.#profile = profileOf(options.profile)
    this.name = options.name
    this.ivLength = gcmIvLengths[this.#profile.gcmIv]
    this.#options = options
    this.#sessions = options.sessions ?? this.#profile.sessions
    this.#queue = new FairQueue(options.queue)
    this.#changes = new ChangeTurns(
      () => this.#all().every(({ reading }) => reading === 0),
      () => this.#dispatch(),
    )
    const interval = Math.max(10, (options.deadline * silence) / 2)
    // Answers that lie in the sockets are read before anything is judged.
    this.#watch = setInterval(() => setImmediate(() => this.#condemnSilent()), interval).unref()
  }

  get pending(): number {
    return this.#pending
  }

  get health(): HsmHealth {
    const { state = 'ready', reason } = this.#down ?? {}
    return { state, reason: reason?.message, workers: this.#workers.length, starts: this.#starts }
  }

  /**
   * Starts the workers one after another: SoftHSM hides the token from a process that starts while another one logs in. Rejects
   * with an OperatorError of one line when one cannot start; a PIN that was refused is not tried by the next one.
   */
  async start(): Promise<void> {
    const starting = (async () => {
      while (this.#workers.length < this.#options.workers) await this.#startWorker()
    })()
    this.#replacing = starting
    try {
      await starting
    } catch (error) {
      throw error instanceof OperatorError ? new OperatorError(`HSM ${this.name}: ${error.message}`) : error
    } finally {
      this.#replacing = undefined
    }
  }

  /** Like start, but goes on trying in the background: for one of several. */
  startLater(): void {
    this.#replacing ??= this.#replace().finally(() => (this.#replacing = undefined))
  }

  async call(name: CallName, payload: Buffer, caller: string, options: CallOptions = {}): Promise<Buffer> {
    return this.#call(name, payload, caller, options)
  }

  async callEach(name: CallName, payload: Buffer, caller: string): Promise<readonly Buffer[]> {
    // Without any, one of them is waited for.
    const workers = this.#workers.length === 0 ? [undefined] : this.#workers
    return Promise.all(workers.map(worker => this.#call(name, Buffer.from(payload), caller, {}, worker)))
  }

  async #call(
    name: CallName,
    payload: Buffer,
    caller: string,
    { until = Number.POSITIVE_INFINITY, again = false }: CallOptions,
    worker?: WorkerProcess,
  ): Promise<Buffer> {
    if (this.#closing.signal.aborted) throw unavailable(new Error('The HSM was closed.')).failure
    const startedAt = performance.now()
    const deadline = Math.min(until, startedAt + this.#options.deadline * deadlineFactor(name))
    this.#pending++
    return new Promise((resolve, reject) => {
      const call: Call = {
        name,
        payload,
        caller,
        startedAt,
        deadline,
        worker,
        attempts: 0,
        isRepeated: again,
        answer: output => {
          this.#settled(call, 'CKR_OK')
          resolve(output)
        },
        fail: ({ failure, returnCode }) => {
          this.#settled(call, returnCode)
          reject(failure)
        },
      }
      this.#give(call)
    })
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    clearInterval(this.#watch)
    this.#starting?.kill()
    if (this.#pending > 0) await new Promise<void>(resolve => (this.#drained = resolve))
    await this.#replacing?.catch(() => undefined)
    await Promise.all(this.#all().map(worker => worker.end(endGrace)))
  }

  lost(worker: WorkerProcess, unfinished: readonly Call[], reason: string): void {
    // A worker that was not ready yet: whoever starts it is told.
    if (this.#starting === worker) return
    const index = this.#workers.indexOf(worker)
    if (index >= 0) this.#workers.splice(index, 1)
    this.#condemned.delete(worker)
    this.#failures = worker.proven ? 0 : this.#failures + 1
    this.#log('warn', 'An HSM worker was lost.', { pid: worker.pid, reason })
    this.#replaceMissing()
    for (const call of unfinished) this.#giveAgain(call, reason)
    this.#changes.ended()
  }

  returned(worker: WorkerProcess, call: Call, why: 'loginLost' | 'busy' | 'missing'): void {
    if (why === 'loginLost') {
      this.#logInAgain(worker)
      this.#giveAgain(call, 'the login was lost')
    } else if (why === 'missing') this.#seekElsewhere(worker, call)
    else this.#giveLater(call)
    this.#ended(worker)
  }

  asksChange(worker: WorkerProcess, id: number, ended: Promise<void>): void {
    void this.#changes.alone(async () => {
      worker.grantChange(id)
      await ended
    })
  }

  settled(worker: WorkerProcess, { missedBy }: Call, answered: boolean): void {
    if (answered && missedBy !== undefined) this.#replaceBlind(missedBy)
    this.#ended(worker)
  }

  wrote({ pid }: WorkerProcess, text: string): void {
    this.#log('warn', 'An HSM worker wrote an error.', { pid, text: text.slice(0, 1000) })
  }

  /** A worker has one call less. */
  #ended(worker: WorkerProcess): void {
    this.#changes.ended()
    if (worker.pending === 0 && this.#condemned.delete(worker)) void worker.end(endGrace)
    if (this.#queue.size > 0) this.#dispatch()
  }

  #all(): readonly WorkerProcess[] {
    return [...this.#workers, ...this.#condemned]
  }

  #settled({ name, payload, startedAt }: Call, returnCode: string): void {
    payload.fill(0)
    this.#options.observe?.({
      hsm: this.name,
      operation: name,
      returnCode,
      seconds: (performance.now() - startedAt) / 1000,
    })
    if (--this.#pending === 0) this.#drained?.()
  }

  /** Gives the call to a worker; without any, it waits for one, unless there is no hope of one or too many wait. */
  #give(call: Call): void {
    if (call.deadline <= performance.now()) {
      call.fail(timedOut())
      return
    }
    const worker = this.#queue.size === 0 ? this.#workerFor(call) : undefined
    if (worker !== undefined) worker.send(call)
    else if (this.#down !== undefined) call.fail(this.#whyDown())
    else this.#wait(call)
  }

  #wait(call: Call): void {
    const refused = call.isRepeated ? this.#queue.putBack(call.caller, call) : this.#queue.add(call.caller, call)
    refused?.fail({ failure: new Failure('ThrottlingException', throttled), returnCode: 'QUEUE_FULL' })
    if (refused === call) return
    setTimeout(() => this.#expire(call), call.deadline - performance.now()).unref()
    this.#dispatch()
  }

  /** A call that still waits when its time is over. */
  #expire(call: Call): void {
    if (this.#queue.remove(call.caller, call)) call.fail(timedOut())
  }

  #dispatch(): void {
    while (this.#queue.size > 0) {
      if (this.#down !== undefined) {
        this.#queue.take()!.fail(this.#whyDown())
        continue
      }
      const call = this.#queue.take(waiting => this.#workerFor(waiting) !== undefined)
      if (call === undefined) return
      this.#workerFor(call)!.send(call)
    }
  }

  #workerFor(call: Call): WorkerProcess | undefined {
    if (this.#changes.isHeld && calls[call.name].lane === 'cryptography') return undefined
    if (call.worker?.lost === false) return call.worker.takesCalls ? call.worker : undefined
    return call.missedBy === undefined ? this.#chooseWorker() : this.#leastBusy(call.missedBy)
  }

  #leastBusy(except?: WorkerProcess): WorkerProcess | undefined {
    let chosen: WorkerProcess | undefined
    for (const worker of this.#workers) {
      if (!worker.takesCalls || worker === except) continue
      if (chosen === undefined || worker.pending < chosen.pending) chosen = worker
    }
    return chosen
  }

  /** The worker with the least to do, and then the same for all calls of this turn of the event loop: they share a frame. */
  #chooseWorker(): WorkerProcess | undefined {
    if (this.#chosen?.takesCalls) return this.#chosen
    const chosen = this.#leastBusy()
    this.#chosen = chosen
    setImmediate(() => {
      this.#chosen = undefined
    })
    return chosen
  }

  /** Another worker may do it, but not every one: it may be the call that kills them. */
  #giveAgain(call: Call, reason: string): void {
    if (this.#closing.signal.aborted || call.attempts >= maximumAttempts) {
      call.fail(call.lastFailure ?? unavailable(new Error(`The HSM worker was lost: ${reason}`)))
    } else this.#give(call)
  }

  /** An HSM that has too much to do gets a pause, longer each time. */
  #giveLater(call: Call): void {
    const pause = firstBackOff * 2 ** (call.attempts - 1) * (0.5 + Math.random() / 2)
    if (performance.now() + pause >= call.deadline || this.#closing.signal.aborted) call.fail(call.lastFailure!)
    else setTimeout(() => this.#give(call), pause)
  }

  /** A key that one worker does not find may be there all the same: only when another says so, too, it is not. */
  #seekElsewhere(worker: WorkerProcess, call: Call): void {
    const others = this.#workers.some(other => other !== worker)
    if (call.missedBy !== undefined || !others) {
      call.fail(call.lastFailure!)
      return
    }
    call.missedBy = worker
    this.#giveAgain(call, 'the key was not found')
  }

  /** SoftHSM's library can be left with a wrong picture of the token for good. */
  #replaceBlind(worker: WorkerProcess): void {
    if (worker.lost) return
    this.#log('warn', 'An HSM worker did not find a key that another one found.', { pid: worker.pid })
    worker.kill()
  }

  /** A worker that hangs: others do its calls, but for the oldest, and another worker takes its place. */
  #condemnSilent(): void {
    for (const worker of this.#workers.filter(each => each.isSilent(silence * this.#options.deadline))) {
      this.#workers.splice(this.#workers.indexOf(worker), 1)
      this.#condemned.add(worker)
      this.#log('warn', 'An HSM worker does not answer.', { pid: worker.pid })
      for (const call of worker.takeBack()) this.#giveAgain(call, 'it does not answer')
      this.#replaceMissing()
    }
  }

  #logInAgain(worker: WorkerProcess): void {
    if (worker.isLoggingIn || worker.lost) return
    worker.isLoggingIn = true
    this.#logins = this.#logins.then(() => this.#logIn(worker)).catch(() => undefined)
  }

  async #logIn(worker: WorkerProcess): Promise<void> {
    if (worker.lost || this.#down?.state === 'pinRefused') return
    const { promise, resolve } = Promise.withResolvers<CallFailure | undefined>()
    const startedAt = performance.now()
    worker.send({
      name: 'logIn',
      payload: Buffer.alloc(0),
      caller: '',
      startedAt,
      deadline: startedAt + managementFactor * this.#options.deadline,
      attempts: maximumAttempts,
      isRepeated: false,
      answer: () => resolve(undefined),
      fail: resolve,
    })
    const failure = await promise
    worker.isLoggingIn = false
    if (failure === undefined)
      this.#log('warn', 'An HSM worker had lost its login, and has logged in again.', { pid: worker.pid })
    else if (failure.pinRefused) this.#stop(failure.failure)
    else worker.kill()
    this.#dispatch()
  }

  #replaceMissing(): void {
    if (this.#closing.signal.aborted) this.#setDown('unavailable', new Error('The HSM is closing.'))
    else if (this.#down?.state !== 'pinRefused') this.startLater()
    if (this.#workers.length > 0) return
    const tooLong = () => this.#setDown('unavailable', new Error('No worker could be started yet.'))
    setTimeout(tooLong, patience * this.#options.deadline).unref()
  }

  async #replace(): Promise<void> {
    while (this.#workers.length < this.#options.workers && !this.#closing.signal.aborted) {
      try {
        if (this.#failures > 0) await delay(pause(this.#failures), undefined, { signal: this.#closing.signal })
        await this.#startWorker()
      } catch (error) {
        if (this.#closing.signal.aborted) break
        this.#failures++
        this.#log('error', 'An HSM worker could not start.', { reason: (error as Error).message })
        const reason = error instanceof StartError ? error.reason : 'unavailable'
        if (reason === 'pinRefused') return this.#stop(error as Error)
        this.#setDown(reason, error as Error)
      }
    }
    if (this.#closing.signal.aborted) this.#setDown('unavailable', new Error('The HSM is closing.'))
  }

  #startWorker(): Promise<void> {
    const start = () => this.#startOne()
    return this.#profile.changesAlone ? this.#changes.withoutChange(start) : start()
  }

  async #startOne(): Promise<void> {
    const { library, libraryParameters, tokenLabel, tokenSerial, pinFile, strictCustody, canary } = this.#options
    const address = { library, libraryParameters, tokenLabel, tokenSerial }
    const settings = { profile: this.#profile, strictCustody, sessions: this.#sessions, canary: canary?.() }
    const environment = { ...this.#pool(), ...this.#options.environment }
    const worker = new WorkerProcess({ ...address, pinFile, ...settings }, environment, this)
    this.#starting = worker
    try {
      const { mode, capabilities } = await worker.ready
      if (capabilities.gcm !== undefined) this.ivLength = gcmIvLengths[capabilities.gcm.iv]
      if (worker.lost)
        throw new StartError({ message: 'The HSM worker died as soon as it was ready.', reason: 'unavailable' })
      this.#log('info', 'An HSM worker is ready.', { pid: worker.pid, mode })
    } catch (error) {
      await worker.ended
      throw error
    } finally {
      this.#starting = undefined
    }
    this.#down = undefined
    this.#starts++
    this.#workers.push(worker)
    this.#dispatch()
  }

  /** The size of libuv's pool, which has to be said before the process starts. */
  #pool(): Readonly<Record<string, string>> {
    if (this.#profile.mode === 'synchronous') return {}
    return { UV_THREADPOOL_SIZE: String(this.#sessions + sparePoolThreads) }
  }

  /** As long as no worker is left, nothing waits for one. */
  #setDown(state: 'unavailable' | 'untrusted', reason: Error): void {
    if (this.#workers.length > 0) return
    if (this.#down === undefined || state === 'untrusted')
      this.#log('error', 'The HSM cannot be used.', { reason: reason.message })
    this.#down = { state, reason }
    this.#dispatch()
  }

  /** Tokens lock themselves after a few wrong PINs: nobody tries it again until the gateway is restarted. */
  #stop(reason: Error): void {
    this.#log('error', 'The PIN was refused; it is not tried again before a restart.', { reason: reason.message })
    this.#down = { state: 'pinRefused', reason }
    for (const worker of this.#workers.splice(0)) void worker.end(endGrace)
    this.#dispatch()
  }

  #whyDown(): CallFailure {
    return unavailable(this.#down!.reason)
  }

  #log(level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#options.log?.(level, message, { hsm: this.name, ...fields })
  }
}

/** KMS Developer Guide, "Throttling AWS KMS requests". */
const throttled = 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.'

/** Milliseconds to wait after that many failures in a row. */
function pause(failures: number): number {
  return Math.min(longestPause, firstPause * 2 ** (failures - 1))
}

function unavailable(cause: Error): CallFailure {
  const failure = new Failure('KeyUnavailableException', 'The HSM is not available.', { cause })
  return { failure, returnCode: 'WORKER_LOST' }
}
