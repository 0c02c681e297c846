/** How many worker processes an HSM has. */
import type { Profile } from './profile.ts'

/** So that one can be lost. */
const usual = 2
/**
 * A worker whose C_*Init is a round trip has two calls under way at the most, one in C_*Init and one after it: eight have as many as the 16
 * sessions of one whose C_*Init is none. Measured: docs/hsm.md; twice as many take twice the memory and are a quarter faster.
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
