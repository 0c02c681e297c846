/** The calls that were sent to a worker and are not settled. */

import type { Lane } from '../wire/calls.ts'
import type { Call } from './call.ts'

export interface Pending {
  readonly call: Call
  readonly sentAt: number
  /** The caller got a time-out, but the worker still executes the call; it is given up if it has not finished by then. */
  lateUntil?: number
}

export class PendingCalls {
  /**
   * With the ids of their frames, in the order in which they were sent: the one that is settled is among the first. Not a Map, whose old
   * tables keep settled calls, and all that awaited them, alive until the next full garbage collection.
   */
  readonly #entries: (readonly [id: number, pending: Pending])[] = []
  readonly #inLane: Record<Lane, number> = { cryptography: 0, generation: 0, management: 0 }

  get size(): number {
    return this.#entries.length
  }

  in(lane: Lane): number {
    return this.#inLane[lane]
  }

  add(id: number, pending: Pending): void {
    this.#entries.push([id, pending])
    this.#inLane[pending.call.lane]++
  }

  get(id: number): Pending | undefined {
    return this.#entries.find(([known]) => known === id)?.[1]
  }

  remove(id: number): void {
    const index = this.#entries.findIndex(([known]) => known === id)
    if (index < 0) return
    const [[, pending]] = this.#entries.splice(index, 1) as [[number, Pending]]
    this.#inLane[pending.call.lane]--
  }

  /** Those that use keys, in the order in which they were sent. */
  reading(): readonly (readonly [id: number, Pending])[] {
    return this.#entries.filter(([, { call }]) => call.lane === 'cryptography')
  }

  overdue(now: number): readonly (readonly [id: number, Pending])[] {
    return this.#entries.filter(([, pending]) => dueOf(pending) <= now)
  }

  /** When something is due next: performance.now(). */
  get nextDue(): number {
    return Math.min(...this.#entries.map(([, pending]) => dueOf(pending)))
  }

  /** Removes all. Returns those whose callers still wait; the others are undone. */
  takeAll(): readonly Call[] {
    const all = [...this.#entries]
    for (const [id] of all) this.remove(id)
    for (const [, { call, lateUntil }] of all) if (lateUntil !== undefined) call.undo()
    return all.filter(([, { lateUntil }]) => lateUntil === undefined).map(([, { call }]) => call)
  }
}

function dueOf({ call, lateUntil }: Pending): number {
  return lateUntil ?? call.deadline
}
