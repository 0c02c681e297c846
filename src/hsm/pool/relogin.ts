/** Lets workers that have lost their login log in again, one after another: a PIN that one is refused is tried by no other. */
import { performance } from 'node:perf_hooks'
import type { CallFailure } from '../wire/messages.ts'
import type { WorkerProcess } from './worker-process.ts'

export interface LoginEvents {
  /** Nobody may log in any more. */
  readonly isStopped: () => boolean
  /** @param failure absent when the worker is logged in */
  readonly tried: (worker: WorkerProcess, failure: CallFailure | undefined) => void
}

export class Logins {
  readonly #deadline: number
  readonly #events: LoginEvents
  #turn: Promise<void> = Promise.resolve()

  /** @param deadline of a login, in milliseconds */
  constructor(deadline: number, events: LoginEvents) {
    this.#deadline = deadline
    this.#events = events
  }

  /** The worker takes no calls until it has had its turn. */
  again(worker: WorkerProcess): void {
    if (worker.isLoggingIn || worker.lost) return
    worker.isLoggingIn = true
    this.#turn = this.#turn.then(() => this.#logIn(worker))
  }

  async #logIn(worker: WorkerProcess): Promise<void> {
    if (worker.lost || this.#events.isStopped()) return
    const failure = await this.#send(worker)
    worker.isLoggingIn = false
    this.#events.tried(worker, failure)
  }

  #send(worker: WorkerProcess): Promise<CallFailure | undefined> {
    const startedAt = performance.now()
    return new Promise(resolve => {
      worker.send({
        name: 'logIn',
        payload: Buffer.alloc(0),
        caller: '',
        startedAt,
        time: this.#deadline,
        deadline: startedAt + this.#deadline,
        attempts: 0,
        isRetry: false,
        parts: [],
        answer: () => resolve(undefined),
        fail: resolve,
      })
    })
  }
}
