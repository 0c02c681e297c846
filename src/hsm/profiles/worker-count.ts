/** The number of worker processes of an HSM. */
import type { Profile } from './profile.ts'

/** So that one can be lost. */
const usual = 2
/**
 * If C_*Init is a round trip, a worker has at most two calls in progress, one in C_*Init and one after it: eight have as many as the 16
 * sessions of another worker. Measured: docs/hsm.md; twice as many take twice the memory for a quarter more throughput.
 */
const withRoundTrip = 8

/** @param workers as configured */
export function workerCount(
  workers: number | 'auto',
  { initIsRoundTrip, singleProcess }: Pick<Profile, 'initIsRoundTrip' | 'singleProcess'>,
): number {
  if (workers !== 'auto') return workers
  return initIsRoundTrip && !singleProcess ? withRoundTrip : usual
}
