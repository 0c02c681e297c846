/** Calls that wait for a worker: a bounded, fair queue with time-outs. */
import type { CallFailure } from '../wire/messages.ts'
import { type Call, tooMany } from './call.ts'
import { DeadlineTimer } from './deadline-timer.ts'
import { FairQueue } from './fair-queue.ts'

export interface WaitingOptions {
  /** Maximum number of calls; one more is refused with Throttling. */
  readonly bound: number
  /** The share of its remaining time for which a call may wait. */
  readonly patience: number
  /** The failure of a call that waited too long. */
  readonly expired: () => CallFailure
}

/** The share for an urgent call: the HSM needs the rest, and the caller learns in time that there are too many. */
const urgentPatience = 0.5

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

  /** Adds the call; if too many wait, fails the one that is dropped. A retry is always added. */
  add(call: Call): void {
    const now = performance.now()
    call.waitsUntil = now + (call.deadline - now) * (call.isUrgent ? urgentPatience : this.#options.patience)
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
      else if (this.#queue.remove(call.caller, call)) call.fail(call.isUrgent ? tooMany() : this.#options.expired())
    }
    if (next !== Number.POSITIVE_INFINITY) this.#timer.watch(next)
  }
}
