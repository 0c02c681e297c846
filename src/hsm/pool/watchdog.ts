/** Watches for workers that have calls but write nothing: suspect at first, hung later. */
import { ownSilence, type ProcessorTime, processorTime } from './starvation.ts'
import type { WorkerProcess } from './worker-process.ts'

/**
 * A worker that is silent for this share of `callTimeout` hangs. In mode `asynchronous` a healthy worker is silent for as long as the HSM needs
 * for a call.
 */
const shares = { synchronous: 0.25, asynchronous: 0.75 }
/** How many times longer for a worker that has announced a search of the token. */
const searchFactor = 5
/** Milliseconds, or a share of `callTimeout` if that is more, after which a worker in mode `synchronous` is suspect. */
const suspicion = { least: 50, share: 0.025 }

/** The watched workers, and what happens to silent ones. */
export interface Watched {
  /** The workers that serve. */
  readonly workers: readonly WorkerProcess[]
  /** Whether another worker can take over its calls. */
  hasAlternative(worker: WorkerProcess): boolean
  /** The calls behind its oldest one need not wait for it. */
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
  /** When they were last heard. */
  readonly #before = new WeakMap<WorkerProcess, ProcessorTime | undefined>()

  /** @param callTimeout milliseconds */
  constructor(callTimeout: number, watched: Watched) {
    this.#callTimeout = callTimeout
    this.#suspicion = Math.max(suspicion.least, callTimeout * suspicion.share)
    this.#watched = watched
    // Answers that wait in the sockets are read first.
    this.#timer = setInterval(() => setImmediate(() => this.#judge()), this.#suspicion / 2).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #judge(): void {
    const { workers } = this.#watched
    for (const worker of workers) {
      if (worker.silence < this.#suspicion / 2) this.#before.set(worker, processorTime(worker.pid!))
      if (this.#isSuspect(worker) && this.#watched.hasAlternative(worker)) this.#watched.suspects(worker)
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
