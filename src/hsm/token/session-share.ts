/** The sessions of one of several workers. */
import { OperatorError } from '../../errors.ts'

/** Of a worker, besides those that calls borrow: one that keeps the login, and one for public keys. */
const ownSessions = 2

/**
 * How many sessions calls may use at the same time. Throws OperatorError if the token allows too few for all workers.
 *
 * @param wished by the configuration
 * @param sharers workers that have sessions with the token
 * @param most that the token allows; undefined: unlimited, or unknown
 */
export function sessionShare(wished: number, sharers: number, most: number | undefined): number {
  if (most === undefined) return wished
  const share = Math.floor(most / sharers) - ownSessions
  if (share >= 1) return Math.min(wished, share)
  // The limit of some tokens is of another kind: one worker finds out.
  if (sharers === 1) return wished
  throw new OperatorError(
    `the token allows ${most} sessions, too few for ${sharers} workers with ${ownSessions + 1} each: set fewer processes or workers`,
  )
}
