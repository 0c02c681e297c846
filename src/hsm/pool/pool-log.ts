/** Every line that is logged about an HSM and its workers. */
import type { Log, LogFields } from '../../log.ts'
import type { HsmHealth } from '../hsm.ts'

/** A worker, in a line about it. */
interface Worker {
  readonly pid: number | undefined
}

export class PoolLog {
  readonly #hsm: string
  readonly #log: Log | undefined

  /** @param hsm its name, or that of a member */
  constructor(hsm: string, log: Log | undefined) {
    this.#hsm = hsm
    this.#log = log
  }

  workerReady({ pid }: Worker): void {
    this.#log?.info(this.#fields('worker_ready', { worker: pid }), 'HSM worker ready')
  }

  workerLost({ pid }: Worker, reason: string): void {
    this.#log?.warn(this.#fields('worker_lost', { worker: pid, reason }), 'HSM worker lost')
  }

  workerUnresponsive({ pid }: Worker): void {
    this.#log?.warn(this.#fields('worker_unresponsive', { worker: pid }), 'HSM worker does not answer')
  }

  workerLoggedInAgain({ pid }: Worker): void {
    this.#log?.warn(
      this.#fields('worker_logged_in_again', { worker: pid }),
      'HSM worker lost its login: logged in again',
    )
  }

  /** @param text what it wrote to its standard error; the beginning is logged */
  workerWrote({ pid }: Worker, text: string): void {
    const fields = this.#fields('worker_stderr', { worker: pid, text: text.slice(0, 1000) })
    this.#log?.warn(fields, 'HSM worker wrote to standard error')
  }

  workerStartFailed({ message }: Error): void {
    this.#log?.error(this.#fields('worker_start_failed', { reason: message }), 'Cannot start HSM worker')
  }

  spareLost(reason: string): void {
    this.#log?.warn(this.#fields('spare_worker_lost', { reason }), 'Spare HSM worker lost')
  }

  unavailable(state: HsmHealth['state'], { message }: Error): void {
    this.#log?.error(this.#fields('hsm_unavailable', { state, reason: message }), 'HSM unavailable')
  }

  pinRefused({ message }: Error): void {
    this.#log?.error(this.#fields('pin_refused', { reason: message }), 'PIN refused: not tried again before a restart')
  }

  #fields(event: string, fields: Readonly<Record<string, unknown>>): LogFields {
    return { event, hsm: this.#hsm, ...fields }
  }
}
