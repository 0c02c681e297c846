/** Whether a process hangs or gets no CPU time, according to Linux: proc(5). */
import { readFileSync } from 'node:fs'

/** Milliseconds of the main thread, since it started. */
export interface ProcessorTime {
  readonly ran: number
  /** Time spent ready to run, in periods that have ended. */
  readonly waited: number
}

/** Undefined on systems without it. */
export function processorTime(pid: number): ProcessorTime | undefined {
  const fields = read(`/proc/${pid}/schedstat`)?.split(' ')
  return fields && { ran: Number(fields[0]) / 1e6, waited: Number(fields[1]) / 1e6 }
}

/**
 * How many milliseconds of its silence a process had CPU time or slept. A process that is ready to run, or waits for a disk, would continue
 * if it could.
 *
 * @param silence milliseconds
 * @param before the processor time at the beginning of that time
 */
export function ownSilence(pid: number, silence: number, before: ProcessorTime | undefined): number {
  const now = processorTime(pid)
  if (now === undefined || before === undefined) return silence
  const ran = now.ran - before.ran
  // After the program's name, which may contain anything.
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
