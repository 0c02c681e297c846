import { readFileSync } from 'node:fs'

/**
 * The maximum number of connections: the configured one, or fewer, to keep the reserve of file descriptors for everything else. At least
 * one.
 * @param reserve descriptors that connections must not use
 */
export function connectionsWithin(wished: number, reserve: number, limit = descriptorLimit()): number {
  return Math.max(1, Math.min(wished, limit - reserve))
}

/** The soft limit RLIMIT_NOFILE (proc_pid_limits(5)); no limit if the system does not report it. */
export function descriptorLimit(): number {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
