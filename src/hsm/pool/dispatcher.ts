/** The calls of one token: which worker gets a call, which calls wait, which are retried. */
import type { Ability } from '../../model/keys/ability.ts'
import type { HsmHealth } from '../hsm.ts'
import { type CallName, calls, type Lane } from '../wire/calls.ts'
import type { CallFailure } from '../wire/messages.ts'
import type { Backend, CallOptions } from './backend.ts'
import { Call, type TargetWorker, timedOut, tooMany, unavailable } from './call.ts'
import { Pace } from './pace.ts'
import type { PoolOptions } from './pool-options.ts'
import { Supervisor, type SupervisorEvents } from './supervisor.ts'
import { WaitingCalls } from './waiting-calls.ts'
import type { Undone } from './worker-process.ts'

/** The call itself may be what crashes the workers. */
const maximumAttempts = 4
/** Milliseconds before a call to an overloaded HSM is retried; doubled each time. */
const firstBackOff = 10
/** The share of its time that a key generation waits for others; it needs the rest itself. */
const generationPatience = 0.5
/** The share of its time that an urgent call may have to wait for those before it. */
const urgentPatience = 0.75

export class Dispatcher implements Backend, SupervisorEvents {
  readonly name: string
  readonly #options: PoolOptions
  readonly #supervisor: Supervisor
  readonly #waiting: WaitingCalls
  /** Slow key generations wait for one another; other calls do not wait for them. */
  readonly #generations: WaitingCalls
  readonly #pace = new Pace()
  #pending = 0
  #chosen: TargetWorker | undefined
  #drained: (() => void) | undefined

  constructor(options: PoolOptions) {
    const { name, maxQueuedCalls: bound } = options
    this.name = name
    this.#options = options
    this.#waiting = new WaitingCalls({ bound, patience: 1, expired: timedOut })
    this.#generations = new WaitingCalls({ bound, patience: generationPatience, expired: tooMany })
    this.#supervisor = new Supervisor(options, this)
  }

  get ivLength(): number {
    return this.#supervisor.abilities.ivLength
  }

  whyUnsupported(ability: Ability): string | undefined {
    return this.#supervisor.abilities.lacks[ability]
  }

  get pending(): number {
    return this.#pending
  }

  get isWhole(): boolean {
    return true
  }

  get health(): HsmHealth {
    return this.#supervisor.health
  }

  /** Resolves when all workers are ready; rejects with an OperatorError if one cannot start. */
  start(_options?: { readonly inTurn?: boolean }): Promise<void> {
    return this.#supervisor.start()
  }

  /** Keeps trying in the background: for one of several tokens. */
  startLater(failure: unknown): void {
    this.#supervisor.startLater(failure)
  }

  call(name: CallName, payload: Buffer, caller: string, options: CallOptions = {}): Promise<Buffer> {
    return this.#call(name, payload, caller, options)
  }

  async callEach(
    name: CallName,
    payload: Buffer,
    caller: string,
    options: Pick<CallOptions, 'object'>,
  ): Promise<readonly Buffer[]> {
    const { workers } = this.#supervisor
    // Without workers, the call waits for one.
    const targets = workers.length === 0 ? [undefined] : workers
    return Promise.all(targets.map(worker => this.#call(name, Buffer.from(payload), caller, options, worker)))
  }

  async close(): Promise<void> {
    if (this.#supervisor.isClosing) return
    const drained = Promise.withResolvers<void>()
    if (this.#pending === 0) drained.resolve()
    this.#drained = drained.resolve
    await this.#supervisor.close(drained.promise)
  }

  unfinished(calls: readonly Call[], reason: string): void {
    for (const call of calls) this.#giveAgain(call, reason)
  }

  returned(call: Call, why: Undone): void {
    if (why === 'loginLost') this.#giveAgain(call, 'the login was lost')
    else if (!mayBeRepeated(call)) call.fail(call.lastFailure!)
    else if (why === 'missing' && (this.#supervisor.hasSingleProcess || call.attempts >= maximumAttempts))
      call.fail(call.lastFailure!)
    else this.#giveLater(call)
  }

  changed(): void {
    if (this.#waiting.size > 0) this.#empty(this.#waiting, 'cryptography')
    if (this.#generations.size > 0) this.#empty(this.#generations, 'generation')
  }

  /** @param lane of the waiting calls: they are not searched while no worker takes calls of it */
  #empty(waiting: WaitingCalls, lane: Lane): void {
    while (waiting.size > 0) {
      const { down } = this.#supervisor
      if (down !== undefined) {
        waiting.take()!.fail(unavailable(down))
        continue
      }
      if (this.#supervisor.leastBusy(lane) === undefined) return
      let worker: TargetWorker | undefined
      const call = waiting.take(call => {
        worker = this.#workerFor(call)
        return worker !== undefined
      })
      if (call === undefined) return
      worker!.send(call)
    }
  }

  #call(
    name: CallName,
    payload: Buffer,
    caller: string,
    { object, latest, isUrgent, undo }: CallOptions,
    worker?: TargetWorker,
  ): Promise<Buffer> {
    if (this.#supervisor.isClosing) {
      payload.fill(0)
      return Promise.reject(unavailable(new Error('the HSM was closed')).failure)
    }
    const timeout = this.#options.callTimeout * calls[name].timeoutFactor
    const underWay = ++this.#pending
    return new Promise((resolve, reject) => {
      const owner = {
        answered: (call: Call, answer: Buffer) => {
          if (call.lane === 'cryptography') this.#pace.answered(underWay, performance.now() - call.startedAt)
          if (call.object !== undefined && call.lastFailure !== undefined) this.#supervisor.misses?.found(call.object)
          this.#settled(call, 'CKR_OK')
          resolve(answer)
        },
        failed: (call: Call, { failure, returnCode }: CallFailure) => {
          this.#settled(call, returnCode)
          reject(failure)
        },
      }
      const call = new Call({ name, object, payload, caller, timeout, latest, isUrgent, worker, undo }, owner)
      const patience = (call.deadline - call.startedAt) * urgentPatience
      if (isUrgent && this.#pace.timeFor(underWay - 1) > patience) call.fail(tooMany())
      else this.#give(call)
    })
  }

  #settled({ name, startedAt }: Call, returnCode: string): void {
    const seconds = (performance.now() - startedAt) / 1000
    this.#options.observe?.({ hsm: this.name, operation: name, returnCode, seconds })
    if (--this.#pending === 0) this.#drained?.()
  }

  /** Sends the call to a worker, or lets it wait for one, or fails it if the HSM is unavailable or too many calls wait. */
  #give(call: Call): void {
    if (call.deadline <= performance.now()) {
      call.fail(call.lastFailure ?? timedOut())
      return
    }
    const waiting = call.lane === 'generation' ? this.#generations : this.#waiting
    const worker = waiting.size === 0 ? this.#workerFor(call) : undefined
    if (worker !== undefined) {
      worker.send(call)
      return
    }
    const { down } = this.#supervisor
    if (down !== undefined) {
      call.fail(unavailable(down))
      return
    }
    waiting.add(call)
    this.changed()
  }

  #workerFor({ lane, worker }: Call): TargetWorker | undefined {
    if (worker?.isServing) return worker.takes(lane) ? worker : undefined
    return lane === 'generation' ? this.#supervisor.leastBusy(lane) : this.#chooseWorker(lane)
  }

  /** The least busy worker, which then gets all calls of this turn of the event loop: they share one write. */
  #chooseWorker(lane: Lane): TargetWorker | undefined {
    if (this.#chosen?.takes(lane)) return this.#chosen
    const chosen = this.#supervisor.leastBusy(lane)
    if (chosen === undefined) return undefined
    this.#chosen = chosen
    setImmediate(() => {
      this.#chosen = undefined
    })
    return chosen
  }

  /** Retries on another worker, a limited number of times. */
  #giveAgain(call: Call, reason: string): void {
    if (this.#supervisor.isClosing || call.attempts >= maximumAttempts || !mayBeRepeated(call)) {
      call.fail(call.lastFailure ?? unavailable(new Error(`The HSM worker was lost: ${reason}`)))
    } else this.#give(call)
  }

  /** Retries after a pause, longer each time. */
  #giveLater(call: Call): void {
    const pause = firstBackOff * 2 ** (call.attempts - 1) * (0.5 + Math.random() / 2)
    if (performance.now() + pause >= call.deadline || this.#supervisor.isClosing) call.fail(call.lastFailure!)
    else setTimeout(() => this.#give(call), pause)
  }
}

/** A login is of one worker: another one would only try the PIN once more, and the first would still not be logged in. */
function mayBeRepeated({ name }: Call): boolean {
  return name !== 'logIn'
}
