import type { JobServices } from '../services.ts'
import type { Job } from './job.ts'

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

/** Runs each job immediately and then at its interval; a failure is logged and does not change the schedule. */
export function scheduleJobs(jobs: readonly Job[], services: JobServices, repeatedly = repeat): Schedule {
  const schedules = jobs.map(job => schedule(job, services, repeatedly))
  return {
    async close() {
      await Promise.all(schedules.map(({ close }) => close()))
    },
  }
}

function schedule({ name, interval, runsAtEnd = false, start }: Job, services: JobServices, repeat: Repeat): Schedule {
  const run = start(services)
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
