/** Whether the HSM is available. While it is not, calls fail at once instead of waiting for a worker. */
import type { HsmHealth } from '../hsm.ts'
import type { PoolLog } from './pool-log.ts'

export type DownState = Exclude<HsmHealth['state'], 'ready'>

export class Availability {
  readonly #log: PoolLog
  readonly #changed: () => void
  #down: { readonly state: DownState; readonly reason: Error } | undefined
  /** Runs while no worker is ready. */
  #patience: NodeJS.Timeout | undefined

  /** @param changed called when it becomes unavailable, or for another reason than before */
  constructor(log: PoolLog, changed: () => void) {
    this.#log = log
    this.#changed = changed
  }

  get state(): HsmHealth['state'] {
    return this.#down?.state ?? 'ready'
  }

  /** Why it is not ready. */
  get reason(): Error | undefined {
    return this.#down?.reason
  }

  /** The PIN was refused. */
  get isStopped(): boolean {
    return this.state === 'pinRefused'
  }

  /** A worker is ready. */
  up(): void {
    clearTimeout(this.#patience)
    this.#down = undefined
  }

  down(state: Exclude<DownState, 'pinRefused'>, reason: Error): void {
    if (this.isStopped) return
    if (this.state !== state) this.#log.unavailable(state, reason)
    this.#down = { state, reason }
    this.#changed()
  }

  /** No worker is ready: unavailable unless one is within so many milliseconds. */
  downAfter(milliseconds: number): void {
    clearTimeout(this.#patience)
    const tooLong = () => this.down('unavailable', new Error('no worker could be started yet'))
    this.#patience = setTimeout(tooLong, milliseconds).unref()
  }

  /** Tokens lock after a few wrong PINs: the PIN is not tried again until the gateway is restarted. */
  stop(reason: Error): void {
    this.#log.pinRefused(reason)
    this.#down = { state: 'pinRefused', reason }
    this.#changed()
  }

  /** Stops the timer. */
  close(): void {
    clearTimeout(this.#patience)
  }
}
