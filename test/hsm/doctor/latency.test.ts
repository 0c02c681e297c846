import { expect, it } from 'vitest'
import { recommendationFor } from '../../../src/hsm/doctor/latency.ts'

const alone = { singleProcess: true }
const several = { singleProcess: false }

it.each([
  ['a token in software', { init: 0.004, operation: 0.01, speedUp: 0.3 }, several, 'synchronous', false, 2],
  [
    'a software token on many processors',
    { init: 0.004, operation: 0.02, speedUp: 1.9 },
    several,
    'synchronous',
    false,
    2,
  ],
  ['an HSM in the machine', { init: 0.01, operation: 0.2, speedUp: 3.5 }, several, 'asynchronous', false, 2],
  ['an HSM behind a network', { init: 0.02, operation: 2, speedUp: 3.9 }, several, 'asynchronous', false, 2],
  ['one whose C_*Init is a round trip', { init: 2, operation: 2, speedUp: 3.9 }, several, 'asynchronous', true, 8],
  [
    'one whose library does one call at a time',
    { init: 0.02, operation: 2, speedUp: 1 },
    several,
    'synchronous',
    false,
    8,
  ],
  ['one of both kinds', { init: 2, operation: 2, speedUp: 1 }, several, 'synchronous', true, 8],
  ['one that only one process may use', { init: 2, operation: 2, speedUp: 3.9 }, alone, 'asynchronous', true, 2],
] as const)('for %s', (_what, latency, profile, mode, initIsRoundTrip, workers) => {
  expect(recommendationFor(latency, profile)).toEqual({ mode, initIsRoundTrip, workers })
})
