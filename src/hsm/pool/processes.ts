/** The running worker processes of one token, in whatever state. */
import type { Lane } from '../wire/calls.ts'
import type { WorkerProcess } from './worker-process.ts'
import type { WorkerState } from './worker-state.ts'

export class Processes {
  readonly #start: () => WorkerProcess
  readonly #running = new Set<WorkerProcess>()

  constructor(start: () => WorkerProcess) {
    this.#start = start
  }

  /** The workers that serve. */
  get serving(): readonly WorkerProcess[] {
    return [...this.#running].filter(({ isServing }) => isServing)
  }

  in(state: WorkerState): readonly WorkerProcess[] {
    return [...this.#running].filter(worker => worker.state === state)
  }

  /** Of the workers that take calls of the lane, the one with the fewest calls. */
  leastBusy(lane: Lane, except?: WorkerProcess): WorkerProcess | undefined {
    let chosen: WorkerProcess | undefined
    for (const worker of this.#running) {
      if (worker === except || !worker.takes(lane)) continue
      if (chosen === undefined || worker.pending < chosen.pending) chosen = worker
    }
    return chosen
  }

  /** The spare or a new process, in state `starting`. */
  take(): WorkerProcess {
    const worker = this.in('spare')[0] ?? this.add()
    worker.advance('start')
    return worker
  }

  /** Starts a spare. */
  add(): WorkerProcess {
    const worker = this.#start()
    this.#running.add(worker)
    void worker.ended.then(() => this.#running.delete(worker))
    return worker
  }

  /** Resolves when no other process has the token open; a killed one counts until its exit was reported. */
  async closedByOthers(worker: WorkerProcess): Promise<void> {
    const others = [...this.#running].filter(other => other !== worker && other.state !== 'spare')
    await Promise.all(others.map(({ ended }) => ended))
  }

  /** Tells those in the states to end, and kills them after the grace period, in milliseconds. */
  end(grace: number, states: readonly WorkerState[]): void {
    for (const worker of this.#running) if (states.includes(worker.state)) void worker.end(grace)
  }

  /** The same for all; resolves when they have exited. */
  async endAll(grace: number): Promise<void> {
    await Promise.all([...this.#running].map(worker => worker.end(grace)))
  }
}
