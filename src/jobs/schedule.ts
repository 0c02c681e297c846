import type { JobServices } from '../services.ts'
import type { Job } from './job.ts'

/** Runs each job immediately and then at its interval; a failure is logged and does not change the schedule. */
export function scheduleJobs(jobs: readonly Job[], services: JobServices): { close(): Promise<void> } {
  const schedules = jobs.map(job => schedule(job, services))
  return {
    async close() {
      await Promise.all(schedules.map(({ close }) => close()))
    },
  }
}

function schedule(
  { name, interval, runsAtEnd = false, start }: Job,
  services: JobServices,
): { close(): Promise<void> } {
  const run = start(services)
  let timer: NodeJS.Timeout | undefined
  let running = Promise.resolve()
  let closed = false
  const runOnce = () =>
    run().catch((error: unknown) => services.log.error({ event: 'job_failed', err: error, job: name }, 'Job failed'))
  const turn = () => {
    running = runOnce().then(() => {
      if (!closed) timer = setTimeout(turn, interval).unref()
    })
  }
  turn()
  return {
    close() {
      closed = true
      clearTimeout(timer)
      return runsAtEnd ? running.then(runOnce) : running
    },
  }
}
