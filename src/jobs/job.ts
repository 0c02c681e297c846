import type { JobServices } from '../services.ts'

/** Work that the gateway does by itself, again and again. A failed run is logged and tried again the next time. */
export interface Job {
  readonly name: string
  /** Milliseconds between the end of a run and the start of the next; the first one comes at once. */
  readonly interval: number
  /** Called once; what it returns is one run, and may remember things from run to run. */
  start(services: JobServices): () => Promise<void>
}

export function job(declaration: Job): Job {
  return declaration
}
