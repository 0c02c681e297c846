/** The worker processes of one token that run: those with the token open, lost ones that are not gone yet, and a spare. */
import type { WorkerProcess } from './worker-process.ts'

export interface ProcessesOptions {
  readonly start: () => WorkerProcess
  /** Only one process may have the token open: see Profile. */
  readonly isSingle: boolean
  /** A process is kept that has yet to open the token. */
  readonly keepsSpare: boolean
}

export class Processes {
  readonly #options: ProcessesOptions
  readonly #running = new Set<WorkerProcess>()
  #spare: WorkerProcess | undefined

  constructor(options: ProcessesOptions) {
    this.#options = options
  }

  /** The spare, or a new one. */
  take(): WorkerProcess {
    const worker = this.#spare ?? this.#start()
    this.#spare = undefined
    return worker
  }

  keepSpare(): void {
    if (this.#options.keepsSpare) this.#spare ??= this.#start()
  }

  /** Whether it was the spare. */
  lostSpare(worker: WorkerProcess): boolean {
    if (this.#spare !== worker) return false
    this.#spare = undefined
    return true
  }

  /** Ends the spare by itself, or kills it after the grace, in milliseconds. */
  endSpare(grace: number): void {
    void this.#spare?.end(grace)
  }

  /**
   * Opens the token with a process, once no other has it open where only one may: one that was killed is gone when the system has said
   * so, not before.
   *
   * @param deadline for the login: see WorkerProcess.open
   */
  async open(worker: WorkerProcess, deadline: number): Promise<void> {
    if (this.#options.isSingle) {
      const others = [...this.#running].filter(other => other !== worker && other.isOpen)
      await Promise.all(others.map(({ ended }) => ended))
    }
    worker.open(deadline)
  }

  /** Resolves when all are gone. */
  async allEnded(): Promise<void> {
    await Promise.all([...this.#running].map(({ ended }) => ended))
  }

  #start(): WorkerProcess {
    const worker = this.#options.start()
    this.#running.add(worker)
    void worker.ended.then(() => this.#running.delete(worker))
    return worker
  }
}
