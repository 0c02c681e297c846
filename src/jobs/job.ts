import type { JobServices } from '../services.ts'

/** Periodic work of the gateway. A failed run is logged; the next run is as scheduled. */
export interface Job {
  readonly name: string
  /** Milliseconds between the end of a run and the start of the next; the first is immediate. */
  readonly interval: number
  /** Whether it runs once more when the gateway stops, after the last request. */
  readonly runsAtEnd?: boolean
  /** Called once; returns a function for one run, which may keep state between runs. */
  start(services: JobServices): () => Promise<void>
}

export function job(declaration: Job): Job {
  return declaration
}
