/** Logs workers in again that have lost their login: one after another, so that a wrong PIN is tried only once. */
import type { CallFailure } from '../wire/messages.ts'
import { Call } from './call.ts'
import type { WorkerProcess } from './worker-process.ts'

export interface LoginEvents {
  /** No further login is allowed. */
  readonly isStopped: () => boolean
  /** @param failure undefined if the worker is logged in */
  readonly tried: (worker: WorkerProcess, failure: CallFailure | undefined) => void
}

export class Relogin {
  readonly #timeout: number
  readonly #events: LoginEvents
  #turn: Promise<void> = Promise.resolve()

  /** @param timeout of a login, in milliseconds */
  constructor(timeout: number, events: LoginEvents) {
    this.#timeout = timeout
    this.#events = events
  }

  /** The worker takes no calls until it is logged in. */
  add(worker: WorkerProcess): void {
    if (worker.advance('loseLogin')) this.#turn = this.#turn.then(() => this.#logIn(worker))
  }

  async #logIn(worker: WorkerProcess): Promise<void> {
    // It may have been lost or replaced while it waited.
    if (worker.state !== 'loggingIn' || this.#events.isStopped()) return
    const failure = await this.#send(worker)
    if (failure === undefined) worker.advance('logIn')
    this.#events.tried(worker, failure)
  }

  #send(worker: WorkerProcess): Promise<CallFailure | undefined> {
    const request = { name: 'logIn', payload: Buffer.alloc(0), caller: '', timeout: this.#timeout } as const
    return new Promise(resolve => {
      worker.send(
        new Call(request, { answered: () => resolve(undefined), failed: (_call, failure) => resolve(failure) }),
      )
    })
  }
}
