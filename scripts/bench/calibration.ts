/** Time of pure computation, measured in a fixed loop instead of microseconds, so that figures of different machines compare. */

/** 32-bit FNV-1a over 10,000 bytes: arithmetic that allocates nothing. */
function loop(): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < 10_000; i++) hash = Math.imul(hash ^ (i & 0xff), 0x01000193)
  return hash
}

/**
 * The time that a call takes, in loops. One loop takes 11.4 us on a machine whose bare Fastify echo answers 35,000/s: it took 10.8 us where
 * the echo answered 37,000/s. So 1 us there is 0.088 loops anywhere.
 *
 * Both are the fastest of several runs, in turns, as other load only slows a run down.
 *
 * @param call is called `calls` times in a run
 */
export function inLoops(call: () => unknown, calls: number): number {
  let [fastestCall, fastestLoop] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let run = 0; run < runs; run++) {
    fastestLoop = Math.min(fastestLoop, timeOf(loop, loops))
    fastestCall = Math.min(fastestCall, timeOf(call, calls))
  }
  return fastestCall / fastestLoop
}

/** Microseconds of a loop, the fastest of several runs: for time that another process takes. */
export function loopTime(): number {
  return Math.min(...Array.from({ length: runs }, () => timeOf(loop, loops)))
}

/** Of which the first ones compile the code. */
const runs = 100
const loops = 100

/** Microseconds a call. */
function timeOf(call: () => unknown, calls: number): number {
  const start = performance.now()
  for (let i = 0; i < calls; i++) call()
  return ((performance.now() - start) / calls) * 1000
}
