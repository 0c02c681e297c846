import { readFileSync } from 'node:fs'

/**
 * How many connections there may be: those that are wished for, or as many as leave the reserve of the process's file descriptors
 * to everything else. At least one.
 * @param reserve descriptors that connections must not take
 */
export function connectionsWithin(wished: number, reserve: number, limit = descriptorLimit()): number {
  return Math.max(1, Math.min(wished, limit - reserve))
}

/** The soft limit RLIMIT_NOFILE (proc_pid_limits(5)); no limit where the system does not tell. */
export function descriptorLimit(): number {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
