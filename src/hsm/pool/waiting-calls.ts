/** Calls that wait for a worker: bounded, shared fairly among callers, and each only for so long. */
import type { CallFailure } from '../wire/messages.ts'
import { type Call, tooMany } from './call.ts'
import { DeadlineTimer } from './deadline-timer.ts'
import { FairQueue } from './fair-queue.ts'

export interface WaitingOptions {
  /** Calls that may wait; one more is refused with Throttling. */
  readonly bound: number
  /** The share of its remaining time that a call may wait: it needs the rest itself. */
  readonly patience: number
  /** How a call fails that has waited for too long. */
  readonly expired: () => CallFailure
}

export class WaitingCalls {
  readonly #options: WaitingOptions
  readonly #queue: FairQueue<Call>
  readonly #timer = new DeadlineTimer(() => this.#expire())

  constructor(options: WaitingOptions) {
    this.#options = options
    this.#queue = new FairQueue(options.bound)
  }

  get size(): number {
    return this.#queue.size
  }

  /** Takes the call in, or fails the one that has no place. A call that was given to a worker before is never without one. */
  add(call: Call): void {
    const now = performance.now()
    call.waitsUntil = now + (call.deadline - now) * this.#options.patience
    const refused = call.isRetry ? this.#queue.putBack(call.caller, call) : this.#queue.add(call.caller, call)
    refused?.fail(tooMany())
    if (refused !== call) this.#timer.watch(call.waitsUntil)
  }

  /** The first call of the caller whose turn it is, among those that may be taken. */
  take(mayBeTaken?: (call: Call) => boolean): Call | undefined {
    return this.#queue.take(mayBeTaken)
  }

  #expire(): void {
    const now = performance.now()
    let next = Number.POSITIVE_INFINITY
    for (const call of this.#queue.items()) {
      if (call.waitsUntil > now) next = Math.min(next, call.waitsUntil)
      else if (this.#queue.remove(call.caller, call)) call.fail(this.#options.expired())
    }
    if (next !== Number.POSITIVE_INFINITY) this.#timer.watch(next)
  }
}
