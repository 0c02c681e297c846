/** One call on its way to a worker, and how it fails when no worker has answered it. */
import { Failure } from '../../errors.ts'
import type { CallName } from '../wire/calls.ts'
import type { CallFailure } from '../wire/messages.ts'
import type { WorkerProcess } from './worker-process.ts'

/** One call, for as long as it is not settled. Times are those of performance.now(). */
export interface Call {
  readonly name: CallName
  readonly payload: Buffer
  /** Who is to have a fair share: see fair-queue.ts. */
  readonly caller: string
  readonly startedAt: number
  /** Milliseconds that it has: for each part of its answer where that comes in parts. */
  readonly time: number
  deadline: number
  /** The one that it is meant for, as long as that one lives. */
  readonly worker?: WorkerProcess | undefined
  /** How many workers were given it, counted anew after a pause. */
  attempts: number
  /** It may have been done already, though nobody was answered. */
  isRetry: boolean
  /** What has come of an answer that comes in parts. */
  parts: Buffer[]
  /** What the last worker said. */
  lastFailure?: CallFailure
  answer(payload: Buffer): void
  /** @param isUnderWay a worker is still at it */
  fail(failure: CallFailure, isUnderWay?: boolean): void
  /** See CallOptions. */
  readonly undo?: (() => void) | undefined
}

/** KMS Developer Guide, "Throttling AWS KMS requests". */
const throttled = 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.'

export function timedOut(): CallFailure {
  return {
    failure: new Failure('KeyUnavailable', 'The HSM did not answer in time.'),
    returnCode: 'TIMEOUT',
  }
}

/** More calls than the HSM takes. */
export function tooMuch(): CallFailure {
  return { failure: new Failure('Throttling', throttled), returnCode: 'QUEUE_FULL' }
}

export function unavailable(cause: Error): CallFailure {
  const failure = new Failure('KeyUnavailable', 'The HSM is not available.', { cause })
  return { failure, returnCode: 'WORKER_LOST' }
}
