/** How a worker calls the library, chosen by how long its functions take. */
import type { Latency } from '../token/capabilities.ts'

/**
 * `synchronous`: one call at a time, in the main thread. `asynchronous`: C_*Init in the main thread, what follows in libuv's pool,
 * so many calls at a time. `threads`: so many threads, each with one call at a time.
 */
export type Mode = 'synchronous' | 'asynchronous' | 'threads'

/** Calls a second that passing a call to another thread leaves at the most: measured, bounded by the switches of threads. */
const mostByPool = 25_000
const mostByThreads = 14_000

/**
 * The mode with the highest rate. A token in software takes microseconds, and passing its calls around would cost more than doing
 * them. A network HSM takes milliseconds; where its C_*Init is a message of its own, the main thread can not wait for each.
 */
export function fastestMode(latency: Latency | undefined, sessions: number): Mode {
  // Where nothing could be measured, the mode that holds up nobody, whatever takes long.
  if (latency === undefined) return 'threads'
  const [init, operation] = [latency.init / 1000, latency.operation / 1000]
  const rates: Readonly<Record<Mode, number>> = {
    synchronous: 1 / (init + operation),
    asynchronous: Math.min(1 / init, sessions / (init + operation), mostByPool),
    threads: Math.min(sessions / (init + operation), mostByThreads),
  }
  const modes = Object.keys(rates) as Mode[]
  return modes.reduce((best, mode) => (rates[mode] > rates[best] ? mode : best))
}
