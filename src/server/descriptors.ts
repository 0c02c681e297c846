import { readFileSync } from 'node:fs'

/**
 * The maximum number of connections of each listener: the configured ones, or fewer in the same proportion, to keep the reserve of file
 * descriptors for everything else. At least one.
 * @param reserve descriptors that connections must not use
 */
export function connectionsWithin(wished: readonly number[], reserve: number, limit = descriptorLimit()): number[] {
  const total = wished.reduce((sum, count) => sum + count, 0)
  const share = Math.min(1, (limit - reserve) / total)
  return wished.map(count => Math.max(1, Math.floor(count * share)))
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
