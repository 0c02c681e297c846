/**
 * Until when other gateways may serve, by the monotonic clock of whoever waits for them: no lease is longer, from the moment that it was first
 * seen. The clock of the database has no part in it.
 */
import type { Member } from '../storage.ts'

/** Of the length of a lease, as clocks may run at different speeds: by which its gateway believes in less, and others wait for more. */
export const margin = 0.02

export interface HeldLease extends Member {
  /** From when on its gateway does not serve by this renewal: monotonic milliseconds. */
  readonly until: number
}

export class Leases {
  readonly #elapsed: () => number
  #held: readonly HeldLease[] = []

  /** @param elapsed milliseconds, monotonic */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed
  }

  /** As they were last read. */
  get held(): readonly HeldLease[] {
    return this.#held
  }

  /** Of those that are held, now that the members were read. */
  note(members: readonly Member[]): readonly HeldLease[] {
    const now = this.#elapsed()
    const held = members.filter(({ holdsLease }) => holdsLease)
    this.#held = held.map(member => {
      const known = this.#held.find(before => isSameRenewal(before, member))
      return { ...member, until: known?.until ?? now + member.lease * (1 + margin) }
    })
    return this.#held
  }

  /** Those that were not renewed until their end. */
  get ended(): readonly HeldLease[] {
    const now = this.#elapsed()
    return this.#held.filter(({ until }) => now >= until)
  }
}

export function isSameRenewal(a: Member, b: Member): boolean {
  return a.gateway === b.gateway && a.run === b.run && a.renewal === b.renewal && a.leaseUntil === b.leaseUntil
}
