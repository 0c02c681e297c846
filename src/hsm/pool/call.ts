/** One call, and how it fails if no worker answers it. */
import { Failure, TimedOut } from '../../errors.ts'
import { type CallName, calls, type Lane } from '../wire/calls.ts'
import type { CallFailure } from '../wire/messages.ts'

/** The worker that a call is meant for, while that worker serves. */
export interface TargetWorker {
  readonly isServing: boolean
  takes(lane: Lane): boolean
  send(call: Call): void
}

export interface CallRequest {
  readonly name: CallName
  /** See CallOptions. */
  readonly object?: string | undefined
  /** Wiped when the call is settled. */
  readonly payload: Buffer
  /** See fair-queue.ts. */
  readonly caller: string
  /** Milliseconds; for each part of an answer that comes in parts. */
  readonly timeout: number
  /** See CallOptions. */
  readonly latest?: number | undefined
  /** See CallOptions. */
  readonly isUrgent?: boolean | undefined
  readonly worker?: TargetWorker | undefined
  /** See CallOptions. */
  readonly undo?: (() => void) | undefined
}

/** Notified when the call is settled. */
export interface CallOwner {
  answered(call: Call, payload: Buffer): void
  failed(call: Call, failure: CallFailure): void
}

/** Instants are those of performance.now(). */
export class Call {
  readonly name: CallName
  readonly object: string | undefined
  readonly lane: Lane
  readonly payload: Buffer
  readonly caller: string
  readonly worker: TargetWorker | undefined
  readonly startedAt = performance.now()
  deadline: number
  /** When a worker that has not answered hangs: the deadline, unless its caller gives up earlier. */
  readonly dueAt: number
  /** See CallOptions. */
  readonly isUrgent: boolean
  /** When it stops waiting for a worker and fails. */
  waitsUntil = 0
  /** How often it was sent to a worker. */
  attempts = 0
  /** A worker may have executed it already. */
  isRetry = false
  /** The last worker's answer. */
  lastFailure: CallFailure | undefined
  readonly #timeout: number
  readonly #undo: (() => void) | undefined
  readonly #owner: CallOwner
  /** Parts received so far of an answer that comes in parts. */
  #parts: Buffer[] | undefined

  constructor(request: CallRequest, owner: CallOwner) {
    const { name, timeout, latest = Number.POSITIVE_INFINITY } = request
    this.name = name
    this.object = request.object
    this.lane = calls[name].lane
    this.payload = request.payload
    this.caller = request.caller
    this.worker = request.worker
    this.deadline = Math.min(latest, this.startedAt + timeout)
    this.isUrgent = request.isUrgent ?? false
    this.dueAt = this.isUrgent ? this.startedAt + timeout : this.deadline
    this.#timeout = timeout
    this.#undo = request.undo
    this.#owner = owner
  }

  /** It was sent to a worker. */
  sent(): void {
    this.attempts++
    this.isRetry = true
    this.#parts = undefined
  }

  /** It was taken back from a worker that has probably not started it. */
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

  /** @param isUnderWay a worker is still executing it */
  fail(failure: CallFailure, isUnderWay = false): void {
    this.payload.fill(0)
    this.#owner.failed(this, failure)
    if (this.isRetry && !isUnderWay) this.undo()
  }

  /** See CallOptions. */
  undo(): void {
    this.#undo?.()
  }
}

/** KMS Developer Guide, "Throttling AWS KMS requests". */
const throttled = 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.'

export function timedOut(): CallFailure {
  return { failure: new TimedOut(), returnCode: 'timeout' }
}

/** More calls than may wait. */
export function tooMany(): CallFailure {
  return { failure: new Failure('Throttling', throttled), returnCode: 'queue_full' }
}

export function unavailable(cause: Error): CallFailure {
  const failure = new Failure('KeyUnavailable', 'The HSM is not available.', { cause })
  return { failure, returnCode: 'worker_lost' }
}
