/**
 * The lease of the jobs of the fleet, which one gateway has at a time. It is lost with the database session that took it, so another gateway
 * gets it within seconds. A gateway may not know yet that it has lost it: so before a job changes an HSM, the database is asked, and what it
 * commits carries the fence of the lease, which the database checks.
 */
import type { JobServices, Log, Storage } from '../services.ts'
import { Conflict } from '../storage/storage.ts'

/** Milliseconds between two looks at the lease. */
export const leaseInterval = 1000

type Means = Pick<Storage, 'jobLease'> & { readonly log: Log }

export class JobLease {
  readonly #means: Means
  #fence: number | undefined
  /** Resolves when the last look at it has ended. */
  #looking: Promise<void> = Promise.resolve()

  constructor(means: Means) {
    this.#means = means
  }

  /** Of the lease that this gateway has, as of the last look. */
  get fence(): number | undefined {
    return this.#fence
  }

  /** Takes the lease if it is free, or finds out that it is lost. Never rejects. */
  follow(): Promise<void> {
    // One after another: two at a time would compete for the lock.
    this.#looking = this.#looking.then(() => this.#look())
    return this.#looking
  }

  /** The same as `fence`, once a look in progress has ended. */
  async current(): Promise<number | undefined> {
    await this.#looking
    return this.#fence
  }

  /** Gives it back. Never rejects: it ends with the database session anyway. */
  async close(): Promise<void> {
    this.#fence = undefined
    await this.#means.jobLease.end().catch(() => undefined)
  }

  async #look(): Promise<void> {
    const { jobLease, log } = this.#means
    const before = this.#fence
    // Without an answer it may be lost.
    const fence = await jobLease.take().catch(() => undefined)
    this.#fence = fence
    if (fence === before) return
    if (fence === undefined) log.warn({ event: 'job_lease_lost', fence: before }, 'Jobs of the fleet stop here')
    else log.info({ event: 'job_lease_taken', fence }, 'Jobs of the fleet run here')
  }
}

/** The outbox of jobs that run under a lease: what they do after it is lost is refused with Conflict. */
export function fencedOutbox(outbox: JobServices['outbox'], lease: JobLease, fence: number): JobServices['outbox'] {
  const check = (current: number | undefined) => {
    if (current !== fence) throw new Conflict('another gateway runs the jobs of the fleet now')
  }
  return {
    ready: () => outbox.ready(),
    settle: options => outbox.settle(options),
    abandoned: () => outbox.abandoned(),
    takeOver: rows => outbox.takeOver(rows),
    async record(changes, record) {
      check(lease.fence)
      changes.fence = fence
      await outbox.record(changes, record)
    },
    async act(intent, act, undo) {
      await lease.follow()
      check(lease.fence)
      const fenced: typeof act = changes => {
        changes.fence = fence
        return act(changes)
      }
      await outbox.act(intent, fenced, undo)
    },
  }
}
