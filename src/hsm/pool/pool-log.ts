/** Every log line about an HSM and its workers. */
import type { Log } from '../../log.ts'
import type { HsmHealth } from '../hsm.ts'

interface Worker {
  readonly pid: number | undefined
}

export class PoolLog {
  readonly #hsm: string
  readonly #log: Log | undefined

  /** @param hsm name of the HSM or member */
  constructor(hsm: string, log: Log | undefined) {
    this.#hsm = hsm
    this.#log = log
  }

  workerReady({ pid }: Worker): void {
    this.#log?.info({ event: 'worker_ready', hsm: this.#hsm, worker: pid }, 'HSM worker ready')
  }

  workerLost({ pid }: Worker, reason: string): void {
    this.#log?.warn({ event: 'worker_lost', hsm: this.#hsm, worker: pid, reason }, 'HSM worker lost')
  }

  workerUnresponsive({ pid }: Worker): void {
    this.#log?.warn({ event: 'worker_unresponsive', hsm: this.#hsm, worker: pid }, 'HSM worker does not answer')
  }

  workerLoggedInAgain({ pid }: Worker): void {
    this.#log?.warn(
      { event: 'worker_logged_in_again', hsm: this.#hsm, worker: pid },
      'HSM worker lost its login: logged in again',
    )
  }

  /** @param text truncated */
  workerWrote({ pid }: Worker, text: string): void {
    const fields = { event: 'worker_stderr', hsm: this.#hsm, worker: pid, text: text.slice(0, 1000) }
    this.#log?.warn(fields, 'HSM worker wrote to standard error')
  }

  workerStartFailed({ message }: Error): void {
    this.#log?.error({ event: 'worker_start_failed', hsm: this.#hsm, reason: message }, 'Cannot start HSM worker')
  }

  spareLost(reason: string): void {
    this.#log?.warn({ event: 'spare_worker_lost', hsm: this.#hsm, reason }, 'Spare HSM worker lost')
  }

  unavailable(state: HsmHealth['state'], { message }: Error): void {
    this.#log?.error({ event: 'hsm_unavailable', hsm: this.#hsm, state, reason: message }, 'HSM unavailable')
  }

  pinRefused({ message }: Error): void {
    this.#log?.error({ event: 'pin_refused', hsm: this.#hsm, reason: message }, 'PIN refused: not tried again')
  }
}
