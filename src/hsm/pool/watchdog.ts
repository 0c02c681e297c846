/** Notices workers that have calls and say nothing: too early to call them dead, late enough to let others do their calls. */
import { ownSilence, type ProcessorTime, processorTime } from './starvation.ts'
import type { WorkerProcess } from './worker-process.ts'

/**
 * A worker that says nothing for this share of the deadline hangs. Where calls do not wait for one another, nothing is heard for as long
 * as the HSM takes for one of them.
 */
const shares = { synchronous: 0.25, asynchronous: 0.75, threads: 0.75 }
/** How much longer while a worker searches the token, as it has said. */
const searchFactor = 5
/** Milliseconds, or a share of the deadline where that is more, after which one hesitates that does its calls one after another. */
const hesitation = { least: 50, share: 0.025 }

/** What may become of silent workers. */
export interface SilentWorkers {
  /** Those that take calls. */
  readonly workers: readonly WorkerProcess[]
  /** Whether another one has time for the calls of this one. */
  hasRelief(worker: WorkerProcess): boolean
  /** What waits behind one call need not wait for it. */
  hesitates(worker: WorkerProcess): void
  /** It may never answer. */
  hangs(worker: WorkerProcess): void
}

export class SilenceWatch {
  readonly #deadline: number
  /** Milliseconds. */
  readonly #hesitation: number
  readonly #watched: SilentWorkers
  readonly #timer: NodeJS.Timeout
  /** When they were heard last. */
  readonly #before = new WeakMap<WorkerProcess, ProcessorTime | undefined>()

  /** @param deadline of a call, in milliseconds */
  constructor(deadline: number, watched: SilentWorkers) {
    this.#deadline = deadline
    this.#hesitation = Math.max(hesitation.least, deadline * hesitation.share)
    this.#watched = watched
    // Answers that lie in the sockets are read before anything is judged.
    this.#timer = setInterval(() => setImmediate(() => this.#judge()), this.#hesitation / 2).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #limit({ mode, isSearching }: WorkerProcess): number {
    return shares[mode] * this.#deadline * (isSearching ? searchFactor : 1)
  }

  #judge(): void {
    for (const worker of this.#watched.workers) {
      if (worker.silence < this.#hesitation / 2) this.#before.set(worker, processorTime(worker.pid!))
      if (this.#hesitates(worker) && this.#watched.hasRelief(worker)) this.#watched.hesitates(worker)
    }
    for (const worker of this.#watched.workers.filter(worker => this.#hangs(worker))) this.#watched.hangs(worker)
  }

  #hesitates({ mode, isHesitant, isSearching, silence }: WorkerProcess): boolean {
    return mode === 'synchronous' && !isHesitant && !isSearching && silence > this.#hesitation
  }

  #hangs(worker: WorkerProcess): boolean {
    const limit = this.#limit(worker)
    return worker.silence > limit && ownSilence(worker.pid!, worker.silence, this.#before.get(worker)) > limit
  }
}
