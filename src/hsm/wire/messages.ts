/** The messages between gateway and workers besides the calls of calls.ts: how a call ended, how a worker started. */
import { Failure, type FailureCode, failures } from '../../errors.ts'

/** Added to the kind of a call that a worker may have executed already. */
export const retryFlag = 0x80
/** Kind of the request with `startId`: load the library, open the token and log in. Its payload is the PIN, if the worker does not read it. */
export const openToken = 0x7f

export const status = {
  ok: 0,
  failed: 1,
  /** A part of an answer, to be continued. */
  part: 5,
  /** Failed, and the worker ends: the call may be retried on another. */
  ending: 2,
  /** Failed, as the worker is no longer logged in. It logs in again when told to: one worker after another, as tokens lock. */
  loginLost: 3,
  /** Failed, as the HSM is overloaded or inconsistent: the call may be retried after a pause. */
  busy: 4,
  /** Failed, as the token refused the PIN: it must not be tried again. */
  pinRefused: 6,
  /** Failed, as the HSM does not hold the key, unless it is still being replicated: the call may be retried after a pause. */
  missing: 9,
  /** With `startId`, not an answer: the worker searches the token and is silent until that is done. */
  searching: 7,
  /** With `startId`, not an answer: C_Initialize is done; login follows. */
  initialised: 8,
} as const

/** Id of `openToken` and its answer: `ok` with its Capabilities when the worker is logged in, `failed` with a StartFailure otherwise. */
export const startId = 0

/**
 * Why a worker could not start. After `pinRefused` no worker may try the same PIN again, as tokens lock. `untrusted`: the token does not hold
 * the canary key.
 */
export interface StartFailure {
  readonly message: string
  readonly reason: 'unavailable' | 'pinRefused' | 'untrusted'
  /** Name of the PKCS#11 return code behind it, `CKR_TOKEN_NOT_PRESENT` if the token was not found; `timeout` if the worker was silent. */
  readonly returnCode?: string | undefined
}

const startReasons: readonly unknown[] = ['unavailable', 'pinRefused', 'untrusted'] satisfies StartFailure['reason'][]

/** Throws an Error for a payload that is none. */
export function decodeStartFailure(payload: Buffer): StartFailure {
  const sent = decodeJson<StartFailure | null>(payload)
  const isCode = ['string', 'undefined'].includes(typeof sent?.returnCode)
  if (typeof sent?.message === 'string' && startReasons.includes(sent.reason) && isCode) return sent
  throw new TypeError('malformed failure of a start')
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
  /** The PIN must not be tried again. */
  readonly pinRefused?: boolean
}

export function encodeFailure({ failure, returnCode }: CallFailure): Buffer {
  const cause = failure.cause instanceof Error ? failure.cause.message : undefined
  return encodeJson({ code: failure.code, message: failure.message, cause, returnCode })
}

/** Throws an Error for a payload that is no failure. */
export function decodeFailure(payload: Buffer): CallFailure {
  const { code, message, cause, returnCode } = decodeJson<Readonly<Record<string, unknown>> | null>(payload) ?? {}
  if (typeof message !== 'string' || typeof returnCode !== 'string') throw new TypeError('malformed failure of a call')
  const options = cause === undefined ? {} : { cause: new Error(String(cause)) }
  return { failure: new Failure(isFailureCode(code) ? code : 'Internal', message, options), returnCode }
}

function isFailureCode(code: unknown): code is FailureCode {
  return typeof code === 'string' && Object.hasOwn(failures, code)
}
