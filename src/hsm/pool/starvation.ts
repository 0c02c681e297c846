/** Tells a process that hangs from one that is given no processor, as Linux sees it: proc(5). */
import { readFileSync } from 'node:fs'

/** Milliseconds of the main thread, since it started. */
export interface ProcessorTime {
  readonly ran: number
  /** Ready to run, as far as that is over. */
  readonly waited: number
}

/** Undefined where the system does not tell. */
export function processorTime(pid: number): ProcessorTime | undefined {
  const fields = read(`/proc/${pid}/schedstat`)?.split(' ')
  return fields && { ran: Number(fields[0]) / 1e6, waited: Number(fields[1]) / 1e6 }
}

/**
 * How much of a time that a process said nothing was its own doing, in milliseconds. A process that is ready to run, or waits for a disk,
 * and has not run for all that time, would go on if it could.
 *
 * @param silence milliseconds
 * @param before the processor time at the beginning of that time
 */
export function ownSilence(pid: number, silence: number, before: ProcessorTime | undefined): number {
  const now = processorTime(pid)
  if (now === undefined || before === undefined) return silence
  const ran = now.ran - before.ran
  // Behind the name of the program, which may hold anything.
  const state = /\) (\w) [^)]*$/.exec(read(`/proc/${pid}/stat`) ?? '')?.[1]
  if (state === 'R' || state === 'D') return ran
  return silence - (now.waited - before.waited)
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return undefined
  }
}
