import type { JobServices } from '../services.ts'

/** Periodic work. A failed run is logged; the next run is as scheduled. */
export interface Job {
  readonly name: string
  /** Milliseconds between the end of a run and the start of the next; the first is immediate. */
  readonly interval: number
  /** Whether each gateway runs it, for itself. Default: only the gateway that has the lease of the jobs does. */
  readonly perGateway?: boolean
  /** Whether it runs once more when the gateway stops, after the last request. Of a job of each gateway only. */
  readonly runsAtEnd?: boolean
  /** Called once, or each time that the gateway gets the lease; returns a function for one run, which may keep state between runs. */
  start(services: JobServices): () => Promise<void>
}

export function job(declaration: Job): Job {
  return declaration
}
