/** One call on its way to a worker, and how it fails when no worker has answered it. */
import { Failure } from '../../errors.ts'
import { type CallName, calls, type Lane } from '../wire/calls.ts'
import type { CallFailure } from '../wire/messages.ts'

/** The one that a call is meant for, as long as it serves. */
export interface TargetWorker {
  readonly isServing: boolean
  takes(lane: Lane): boolean
  send(call: Call): void
}

export interface CallRequest {
  readonly name: CallName
  /** Wiped when the call is settled. */
  readonly payload: Buffer
  /** Who is to have a fair share: see fair-queue.ts. */
  readonly caller: string
  /** Milliseconds that it has: for each part of its answer where that comes in parts. */
  readonly timeout: number
  /** When it must be settled at the latest, however much time it had: performance.now(). */
  readonly latest?: number | undefined
  readonly worker?: TargetWorker | undefined
  /** See CallOptions. */
  readonly undo?: (() => void) | undefined
}

/** Whom a call tells that it is settled. */
export interface CallOwner {
  answered(call: Call, payload: Buffer): void
  failed(call: Call, failure: CallFailure): void
}

/** One call, for as long as it is not settled. Instants are those of performance.now(). */
export class Call {
  readonly name: CallName
  readonly lane: Lane
  readonly payload: Buffer
  readonly caller: string
  readonly worker: TargetWorker | undefined
  readonly startedAt = performance.now()
  deadline: number
  /** When it gives up waiting in a queue. */
  waitsUntil = 0
  /** How many workers were given it. */
  attempts = 0
  /** It may have been done already, though nobody was answered. */
  isRetry = false
  /** What the last worker said. */
  lastFailure: CallFailure | undefined
  readonly #timeout: number
  readonly #undo: (() => void) | undefined
  readonly #owner: CallOwner
  /** What has come of an answer that comes in parts. */
  #parts: Buffer[] | undefined

  constructor(request: CallRequest, owner: CallOwner) {
    const { name, timeout, latest = Number.POSITIVE_INFINITY } = request
    this.name = name
    this.lane = calls[name].lane
    this.payload = request.payload
    this.caller = request.caller
    this.worker = request.worker
    this.deadline = Math.min(latest, this.startedAt + timeout)
    this.#timeout = timeout
    this.#undo = request.undo
    this.#owner = owner
  }

  /** A worker has been given it. */
  sent(): void {
    this.attempts++
    this.isRetry = true
    this.#parts = undefined
  }

  /** A worker has given it back, hardly begun. */
  takenBack(): void {
    this.attempts--
  }

  addPart(payload: Buffer): void {
    this.#parts ??= []
    this.#parts.push(payload)
    this.deadline = performance.now() + this.#timeout
  }

  answer(payload: Buffer): void {
    this.payload.fill(0)
    this.#owner.answered(this, this.#parts === undefined ? payload : Buffer.concat([...this.#parts, payload]))
  }

  /** @param isUnderWay a worker is still at it */
  fail(failure: CallFailure, isUnderWay = false): void {
    this.payload.fill(0)
    this.#owner.failed(this, failure)
    if (this.isRetry && !isUnderWay) this.undo()
  }

  /** It has failed though it may have been done, and no worker is at it any more. */
  undo(): void {
    this.#undo?.()
  }
}

/** KMS Developer Guide, "Throttling AWS KMS requests". */
const throttled = 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.'

export function timedOut(): CallFailure {
  return { failure: new Failure('KeyUnavailable', 'The HSM did not answer in time.'), returnCode: 'timeout' }
}

/** More calls than the HSM takes. */
export function tooMany(): CallFailure {
  return { failure: new Failure('Throttling', throttled), returnCode: 'queue_full' }
}

export function unavailable(cause: Error): CallFailure {
  const failure = new Failure('KeyUnavailable', 'The HSM is not available.', { cause })
  return { failure, returnCode: 'worker_lost' }
}
