import { describe, expect, it } from 'vitest'
import { fastestMode } from '../../../src/hsm/worker/mode.ts'

describe('the mode of a worker', () => {
  it.each([
    ['a token in software', { init: 0.004, operation: 0.006 }, 16, 'synchronous'],
    ['an HSM whose C_*Init is local', { init: 0.005, operation: 2 }, 16, 'asynchronous'],
    ['the same with many sessions', { init: 0.005, operation: 2 }, 64, 'asynchronous'],
    ['an HSM whose C_*Init is a round trip', { init: 2, operation: 2 }, 64, 'threads'],
    ['the same with one session', { init: 2, operation: 2 }, 1, 'synchronous'],
    ['an HSM with a slow C_*Init and an even slower operation', { init: 0.2, operation: 20 }, 16, 'asynchronous'],
  ] as const)('of %s is %o with %i sessions: %s', (_what, latency, sessions, mode) => {
    expect(fastestMode(latency, sessions)).toBe(mode)
  })

  it('holds up nobody where nothing could be measured', () => {
    expect(fastestMode(undefined, 16)).toBe('threads')
  })
})
