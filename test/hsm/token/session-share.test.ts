import { expect, it } from 'vitest'
import { sessionShare } from '../../../src/hsm/token/session-share.ts'

it.each([
  [16, 1, undefined, 16],
  [16, 6, undefined, 16],
  [16, 2, 1000, 16],
  [16, 2, 36, 16],
  [16, 2, 35, 15],
  [16, 3, 9, 1],
  [16, 3, 11, 1],
  // A limit that is no limit: one worker tries.
  [16, 1, 1, 16],
])('of %i sessions, each of %i workers uses, if the token allows %s, %i', (wished, sharers, most, share) => {
  expect(sessionShare(wished, sharers, most)).toBe(share)
})

it.each([
  [2, 5],
  [3, 8],
  [64, 100],
])('%i workers do not share %i sessions', (sharers, most) => {
  expect(() => sessionShare(16, sharers, most)).toThrow(
    `the token allows ${most} sessions, too few for ${sharers} workers`,
  )
})
