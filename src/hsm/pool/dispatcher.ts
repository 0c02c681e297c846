/** The calls of one token: each is given to a worker process, waits for one, or is repeated by another. */
import { performance } from 'node:perf_hooks'
import type { Ability } from '../../model/keys/ability.ts'
import type { HsmCall, HsmHealth } from '../hsm.ts'
import { type CallName, calls, type Lane } from '../wire/calls.ts'
import type { Backend, CallOptions } from './backend.ts'
import { type Call, timedOut, tooMuch, unavailable } from './call.ts'
import { FairQueue } from './fair-queue.ts'
import { Fleet, type FleetEvents, type FleetOptions } from './supervisor.ts'
import type { Undone, WorkerProcess } from './worker-process.ts'

export interface WorkersOptions extends FleetOptions {
  /** Calls that may wait for a worker, and calls that make keys; one more is refused with Throttling. */
  readonly maxQueuedCalls: number
  readonly observe?: ((call: HsmCall) => void) | undefined
}

/** A call that kills its worker is not given to every worker there is. */
const maximumAttempts = 4
/** Milliseconds before a call that came back from a busy HSM is sent again; doubled each time. */
const firstBackOff = 10
/** For this share of its time a call that makes a key waits for others to be made: it needs the rest itself. */
const generationPatience = 0.5

export class Workers implements Backend, FleetEvents {
  readonly name: string
  readonly #options: WorkersOptions
  readonly #fleet: Fleet
  readonly #queue: FairQueue<Call>
  /** Calls that make keys: they wait for one another, but nobody else waits for them. */
  readonly #generations: FairQueue<Call>
  #pending = 0
  #chosen: WorkerProcess | undefined
  #drained: (() => void) | undefined

  constructor(options: WorkersOptions) {
    this.name = options.name
    this.#options = options
    this.#queue = new FairQueue(options.maxQueuedCalls)
    this.#generations = new FairQueue(options.maxQueuedCalls)
    this.#fleet = new Fleet(options, this)
  }

  get ivLength(): number {
    return this.#fleet.ivLength
  }

  whyNot(ability: Ability): string | undefined {
    return this.#fleet.lacks[ability]
  }

  get pending(): number {
    return this.#pending
  }

  get isWhole(): boolean {
    return true
  }

  get health(): HsmHealth {
    return this.#fleet.health
  }

  /** Resolves when all workers are ready; rejects with an OperatorError of one line when one cannot start. */
  start(): Promise<void> {
    return this.#fleet.start()
  }

  /** Goes on trying in the background: for one of several tokens. */
  startLater(failure: unknown): void {
    this.#fleet.startLater(failure)
  }

  call(name: CallName, payload: Buffer, caller: string, options: CallOptions = {}): Promise<Buffer> {
    return this.#call(name, payload, caller, options)
  }

  async callEach(name: CallName, payload: Buffer, caller: string): Promise<readonly Buffer[]> {
    // Without any, one of them is waited for.
    const workers = this.#fleet.workers.length === 0 ? [undefined] : this.#fleet.workers
    return Promise.all(workers.map(worker => this.#call(name, Buffer.from(payload), caller, {}, worker)))
  }

  async close(): Promise<void> {
    if (this.#fleet.isClosing) return
    const drained = Promise.withResolvers<void>()
    if (this.#pending === 0) drained.resolve()
    this.#drained = drained.resolve
    await this.#fleet.close(drained.promise)
  }

  unfinished(calls: readonly Call[], reason: string): void {
    for (const call of calls) this.#giveAgain(call, reason)
  }

  returned(_worker: WorkerProcess, call: Call, why: Undone): void {
    if (why === 'loginLost') this.#giveAgain(call, 'the login was lost')
    else if (why === 'missing' && (this.#fleet.isAlone || call.attempts >= maximumAttempts))
      call.fail(call.lastFailure!)
    else this.#giveLater(call)
  }

  changed(): void {
    this.#empty(this.#queue, 'cryptography')
    this.#empty(this.#generations, 'generation')
  }

  /** @param lane for which there has to be a worker: without one, what waits is not looked through */
  #empty(queue: FairQueue<Call>, lane: Lane): void {
    while (queue.size > 0) {
      const { down } = this.#fleet
      if (down !== undefined) {
        queue.take()!.fail(unavailable(down))
        continue
      }
      if (this.#fleet.leastBusy(lane) === undefined) return
      const call = queue.take(waiting => this.#workerFor(waiting) !== undefined)
      if (call === undefined) return
      this.#workerFor(call)!.send(call)
    }
  }

  #queueOf({ name }: Call): FairQueue<Call> {
    return calls[name].lane === 'generation' ? this.#generations : this.#queue
  }

  #call(
    name: CallName,
    payload: Buffer,
    caller: string,
    { until = Number.POSITIVE_INFINITY, undo }: CallOptions,
    worker?: WorkerProcess,
  ): Promise<Buffer> {
    if (this.#fleet.isClosing) {
      payload.fill(0)
      return Promise.reject(unavailable(new Error('The HSM was closed.')).failure)
    }
    const startedAt = performance.now()
    const time = this.#options.callTimeout * calls[name].timeoutFactor
    this.#pending++
    return new Promise((resolve, reject) => {
      const call: Call = {
        name,
        payload,
        caller,
        startedAt,
        time,
        deadline: Math.min(until, startedAt + time),
        worker,
        attempts: 0,
        isRetry: false,
        parts: [],
        answer: output => {
          this.#settled(call, 'CKR_OK')
          resolve(call.parts.length === 0 ? output : Buffer.concat([...call.parts, output]))
        },
        fail: ({ failure, returnCode }, isUnderWay = false) => {
          this.#settled(call, returnCode)
          reject(failure)
          if (call.isRetry && !isUnderWay) undo?.()
        },
        undo,
      }
      this.#give(call)
    })
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
      call.fail(call.lastFailure ?? timedOut())
      return
    }
    const worker = this.#queueOf(call).size === 0 ? this.#workerFor(call) : undefined
    if (worker !== undefined) worker.send(call)
    else if (this.#fleet.down !== undefined) call.fail(unavailable(this.#fleet.down))
    else this.#wait(call)
  }

  #wait(call: Call): void {
    const queue = this.#queueOf(call)
    const refused = call.isRetry ? queue.putBack(call.caller, call) : queue.add(call.caller, call)
    refused?.fail(tooMuch())
    if (refused === call) return
    const isGeneration = queue === this.#generations
    const patience = (call.deadline - performance.now()) * (isGeneration ? generationPatience : 1)
    const expire = () => {
      if (queue.remove(call.caller, call)) call.fail(isGeneration ? tooMuch() : timedOut())
    }
    setTimeout(expire, patience).unref()
    this.changed()
  }

  #workerFor(call: Call): WorkerProcess | undefined {
    const { lane } = calls[call.name]
    if (call.worker?.lost === false) return call.worker.takes(lane) ? call.worker : undefined
    return lane === 'generation' ? this.#fleet.leastBusy(lane) : this.#chooseWorker(lane)
  }

  /** The worker with the least to do, and then the same for all calls of this turn of the event loop: they share a frame. */
  #chooseWorker(lane: Lane): WorkerProcess | undefined {
    if (this.#chosen?.takes(lane)) return this.#chosen
    const chosen = this.#fleet.leastBusy(lane)
    if (chosen === undefined) return undefined
    this.#chosen = chosen
    setImmediate(() => {
      this.#chosen = undefined
    })
    return chosen
  }

  /** Another worker may do it, but not every one: it may be the call that kills them. */
  #giveAgain(call: Call, reason: string): void {
    if (this.#fleet.isClosing || call.attempts >= maximumAttempts) {
      call.fail(call.lastFailure ?? unavailable(new Error(`The HSM worker was lost: ${reason}`)))
    } else this.#give(call)
  }

  /** An HSM that has too much to do gets a pause, longer each time. */
  #giveLater(call: Call): void {
    const pause = firstBackOff * 2 ** (call.attempts - 1) * (0.5 + Math.random() / 2)
    if (performance.now() + pause >= call.deadline || this.#fleet.isClosing) call.fail(call.lastFailure!)
    else setTimeout(() => this.#give(call), pause)
  }
}
