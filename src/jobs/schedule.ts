import type { JobServices } from '../services.ts'
import { Conflict } from '../storage/storage.ts'
import type { Job } from './job.ts'
import { fencedOutbox, type JobLease, leaseInterval } from './job-lease.ts'

type ScheduleServices = JobServices & { readonly jobLease: JobLease }

export interface Schedule {
  /** Resolves when a run in progress has ended; there are no further ones. */
  close(): Promise<void>
}

/**
 * Runs a function immediately, and again `interval` milliseconds after the end of each run.
 *
 * @param run never rejects
 */
export type Repeat = (run: () => Promise<void>, interval: number) => Schedule

export const repeat: Repeat = (run, interval) => {
  let timer: NodeJS.Timeout | undefined
  let running = Promise.resolve()
  let closed = false
  const turn = () => {
    running = run().then(() => {
      if (!closed) timer = setTimeout(turn, interval).unref()
    })
  }
  turn()
  return {
    close() {
      closed = true
      clearTimeout(timer)
      return running
    },
  }
}

/**
 * Runs each job immediately and then at its interval; a failure is logged and does not change the schedule. Jobs of the fleet run only while
 * the gateway has their lease, which it tries to get, and gives back at the end.
 */
export function scheduleJobs(jobs: readonly Job[], services: ScheduleServices, repeatedly = repeat): Schedule {
  const { jobLease } = services
  const following = repeatedly(() => jobLease.follow(), leaseInterval)
  const schedules = jobs.map(job => schedule(job, services, repeatedly))
  return {
    async close() {
      await Promise.all([following, ...schedules].map(({ close }) => close()))
      await jobLease.close()
    },
  }
}

function schedule(job: Job, services: ScheduleServices, repeat: Repeat): Schedule {
  const { name, interval, perGateway = false, runsAtEnd = false } = job
  const run = perGateway ? job.start(services) : onlyWithLease(job, services)
  const runOnce = () =>
    run().catch((error: unknown) => services.log.error({ event: 'job_failed', err: error, job: name }, 'Job failed'))
  const repetition = repeat(runOnce, interval)
  return {
    async close() {
      await repetition.close()
      if (runsAtEnd) await runOnce()
    },
  }
}

/** What a job remembers does not outlive the lease: another gateway may have gone on meanwhile. */
function onlyWithLease({ start }: Job, services: ScheduleServices): () => Promise<void> {
  const { jobLease, outbox } = services
  let started: { readonly fence: number; readonly run: () => Promise<void> } | undefined
  return async () => {
    const fence = await jobLease.current()
    if (fence === undefined) return
    if (started?.fence !== fence)
      started = { fence, run: start({ ...services, outbox: fencedOutbox(outbox, jobLease, fence) }) }
    try {
      await started.run()
    } catch (thrown) {
      // What failed because of that is logged as the loss of the lease.
      if (!(thrown instanceof Conflict) || jobLease.fence === fence) throw thrown
    }
  }
}
