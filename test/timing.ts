/** Execution time relative to the current speed of this machine. */

/** Milliseconds of processor time of the fastest of several runs, which do not wait: other load only slows a run down, and preempts it. */
export function fastest(runs: number, run: () => unknown): number {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < runs; i++) {
    const start = processorTime()
    run()
    best = Math.min(best, processorTime() - start)
  }
  return best
}

/** Milliseconds that this thread has run. */
function processorTime(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const numbers = JSON.stringify(Array(2 ** 19).fill(0))

/** What one step of a request may take: 3.3 times a parse of 1 MiB of numbers, which takes 6 ms where this is 20. */
export function longestTime(): number {
  return 3.3 * fastest(5, () => JSON.parse(numbers))
}
