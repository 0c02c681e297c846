/** Notices workers that have calls and say nothing: too early to call them dead, late enough to let others do their calls. */
import { ownSilence, type ProcessorTime, processorTime } from './starvation.ts'
import type { WorkerProcess } from './worker-process.ts'

/**
 * A worker that says nothing for this share of a call's time hangs. Where calls do not wait for one another, nothing is heard for as long
 * as the HSM takes for one of them.
 */
const shares = { synchronous: 0.25, asynchronous: 0.75 }
/** How much longer while a worker searches the token, as it has said. */
const searchFactor = 5
/** Milliseconds, or a share of a call's time where that is more, after which one is suspect that does its calls one after another. */
const suspicion = { least: 50, share: 0.025 }

/** What may become of silent workers. */
export interface Watched {
  /** Those that serve. */
  readonly workers: readonly WorkerProcess[]
  /** Whether another one has time for the calls of this one. */
  hasRelief(worker: WorkerProcess): boolean
  /** What waits behind one call need not wait for it. */
  suspects(worker: WorkerProcess): void
  /** It may never answer. */
  hangs(worker: WorkerProcess): void
}

export class Watchdog {
  /** Milliseconds, both. */
  readonly #callTimeout: number
  readonly #suspicion: number
  readonly #watched: Watched
  readonly #timer: NodeJS.Timeout
  /** When they were heard last. */
  readonly #before = new WeakMap<WorkerProcess, ProcessorTime | undefined>()

  /** @param callTimeout of a call, in milliseconds */
  constructor(callTimeout: number, watched: Watched) {
    this.#callTimeout = callTimeout
    this.#suspicion = Math.max(suspicion.least, callTimeout * suspicion.share)
    this.#watched = watched
    // Answers that lie in the sockets are read before anything is judged.
    this.#timer = setInterval(() => setImmediate(() => this.#judge()), this.#suspicion / 2).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #judge(): void {
    const { workers } = this.#watched
    for (const worker of workers) {
      if (worker.silence < this.#suspicion / 2) this.#before.set(worker, processorTime(worker.pid!))
      if (this.#isSuspect(worker) && this.#watched.hasRelief(worker)) this.#watched.suspects(worker)
    }
    for (const worker of workers.filter(worker => this.#hangs(worker))) this.#watched.hangs(worker)
  }

  #isSuspect({ mode, state, silence }: WorkerProcess): boolean {
    return mode === 'synchronous' && state === 'ready' && silence > this.#suspicion
  }

  #hangs(worker: WorkerProcess): boolean {
    const limit = shares[worker.mode] * this.#callTimeout * (worker.state === 'searching' ? searchFactor : 1)
    return worker.silence > limit && ownSilence(worker.pid!, worker.silence, this.#before.get(worker)) > limit
  }
}
