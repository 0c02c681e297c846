import { readdirSync, readFileSync } from 'node:fs'

/** Fields of /proc/PID/stat behind the name of the command, from 0: proc_pid_stat(5) counts from 1, and has two before them. */
const [ppid, utime, stime] = [1, 11, 12]
/** USER_HZ is 100 on every architecture that Node.js runs on. */
const microsecondsPerTick = 10_000

/** Microseconds that all threads of the processes have had so far. */
export function processorTime(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    const fields = statOf(pid)!
    ticks += Number(fields[utime]) + Number(fields[stime])
  }
  return ticks * microsecondsPerTick
}

/** The processes that a process has started, and those that they have. */
export function descendants(pid: number): number[] {
  const all = readdirSync('/proc').map(Number).filter(Number.isInteger)
  const children = all.filter(each => Number(statOf(each)?.[ppid]) === pid)
  return children.flatMap(child => [child, ...descendants(child)])
}

/** Nothing for one that is gone. */
function statOf(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
