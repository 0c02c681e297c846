/** What the frames between the gateway and its workers say beside the calls of calls.ts: how a call ended, and how a worker started. */
import { Failure, type FailureCode, failures } from '../../errors.ts'

/** Added to the kind of a call that a worker, this one or another, may have done already. */
export const retryFlag = 0x80
/** Kind of the one request with `startId`: load the library, open the token and log in. A spare worker waits for it. */
export const openToken = 0x7f

export const status = {
  ok: 0,
  failed: 1,
  /** Not the end of an answer: a part of it, with the rest to come. */
  part: 5,
  /** Failed, and the worker ends because it can do nothing more: the call may be repeated elsewhere. */
  ending: 2,
  /** Failed, as the worker is not logged in any more. It logs in again when it is told to: one after another, for the PIN's sake. */
  loginLost: 3,
  /** Failed, as the HSM has too much to do, or contradicts itself: the call may be repeated after a pause. */
  busy: 4,
  /** Failed, as the token refused the PIN: nobody may try it again. */
  pinRefused: 6,
  /** Failed, as the HSM does not hold the key, unless it is on its way from one HSM to another: the call may be repeated after a pause. */
  missing: 9,
  /** With `startId`; no answer: the worker searches the token now, and nothing is heard of it until that is done. */
  searching: 7,
  /** With `startId`; no answer: the library has read what it reads at first, and the token is looked for and logged in to. */
  initialised: 8,
} as const

/** Id of `openToken` and its answer: `ok` with its Capabilities when the worker is logged in, `failed` with a StartFailure otherwise. */
export const startId = 0

/**
 * Why a worker could not start. After `pinRefused` no further worker may try the same PIN: tokens lock themselves. `untrusted`: the
 * token is there, but does not hold the key that it should be known by.
 */
export interface StartFailure {
  readonly message: string
  readonly reason: 'unavailable' | 'pinRefused' | 'untrusted'
}

export function encodeJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

export function decodeJson<T>(payload: Buffer): T {
  return JSON.parse(payload.toString()) as T
}

/** How a call failed in a worker: the failure and, for logs and metrics, the PKCS#11 return code behind it. */
export interface CallFailure {
  readonly failure: Failure
  readonly returnCode: string
  /** Nobody may try the PIN again. */
  readonly pinRefused?: boolean
}

export function encodeFailure({ failure, returnCode }: CallFailure): Buffer {
  const cause = failure.cause instanceof Error ? failure.cause.message : undefined
  return encodeJson({ code: failure.code, message: failure.message, cause, returnCode })
}

export function decodeFailure(payload: Buffer): CallFailure {
  const sent = decodeJson<{ code: FailureCode; message: string; cause?: string; returnCode: string }>(payload)
  const code = Object.hasOwn(failures, sent.code) ? sent.code : 'Internal'
  const options = sent.cause === undefined ? {} : { cause: new Error(sent.cause) }
  return { failure: new Failure(code, sent.message, options), returnCode: sent.returnCode }
}
