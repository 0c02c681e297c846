/** Whether there is hope of a worker for a call: without any, calls fail at once. */
import type { HsmHealth } from '../hsm.ts'
import type { PoolLog } from './pool-log.ts'

export type DownState = Exclude<HsmHealth['state'], 'ready'>

export class Availability {
  readonly #log: PoolLog
  readonly #changed: () => void
  #down: { readonly state: DownState; readonly reason: Error } | undefined
  /** Runs while there is no worker. */
  #patience: NodeJS.Timeout | undefined

  /** @param changed called when it is down, for another reason or the first time */
  constructor(log: PoolLog, changed: () => void) {
    this.#log = log
    this.#changed = changed
  }

  get state(): HsmHealth['state'] {
    return this.#down?.state ?? 'ready'
  }

  /** What keeps it from being ready. */
  get reason(): Error | undefined {
    return this.#down?.reason
  }

  /** The PIN was refused. */
  get isStopped(): boolean {
    return this.state === 'pinRefused'
  }

  /** There is a worker. */
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

  /** There is no worker: down unless there is one within so many milliseconds. */
  downAfter(milliseconds: number): void {
    clearTimeout(this.#patience)
    const tooLong = () => this.down('unavailable', new Error('No worker could be started yet.'))
    this.#patience = setTimeout(tooLong, milliseconds).unref()
  }

  /** Tokens lock themselves after a few wrong PINs: nobody tries it again until the gateway is restarted. */
  stop(reason: Error): void {
    this.#log.pinRefused(reason)
    this.#down = { state: 'pinRefused', reason }
    this.#changed()
  }

  /** Nothing more is told. */
  close(): void {
    clearTimeout(this.#patience)
  }
}
