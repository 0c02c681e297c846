/** Answers a call: unpacks the request, executes it, and packs the answer or the status of a failure. */
import { Failure } from '../../errors.ts'
import { CryptokiError, failureFrom, type Recovery, recoveryFrom, recoveryOfHealthy } from '../return-codes.ts'
import { PinRefused } from '../token/connection.ts'
import { FormChanged } from '../token/gcm.ts'
import type { Pkcs11 } from '../token/pkcs11.ts'
import { type CallName, type CallRow, callNames, calls } from '../wire/calls.ts'
import { encodeFailure, retryFlag, status } from '../wire/messages.ts'

/** Throws a Failure for an unknown kind. @param kind of the request frame */
function callOf(kind: number): CallName {
  const name = callNames.get(kind & ~retryFlag)
  if (name !== undefined) return name
  const cause = new RangeError(`malformed HSM message: there is no call of kind ${kind}`)
  throw new Failure('Internal', '', { cause })
}

export interface Answer {
  /** One of `status`. */
  readonly kind: number
  readonly payload: Buffer
}

const statuses: Readonly<Partial<Record<Recovery, number>>> = {
  'log in again': status.loginLost,
  'find again': status.busy,
  'back off': status.busy,
  'replace worker': status.ending,
  stop: status.pinRefused,
}

/** A worker that does not find the canary key either does not report a key as missing: the next worker searches again. */
function unproven(): Answer {
  const cause = new Error('neither the key nor the canary key was found')
  const failure = new Failure('KeyUnavailable', 'The HSM is not available.', { cause })
  return { kind: status.ending, payload: encodeFailure({ failure, returnCode: 'none' }) }
}

/** Executes a call; never rejects. @param kind of the request frame. @param part sends a part of a long answer before the rest */
export async function answerTo(
  hsm: Pkcs11,
  kind: number,
  payload: Buffer,
  part: (payload: Buffer) => void,
): Promise<Answer> {
  try {
    return { kind: status.ok, payload: await execute(hsm, kind, payload, part) }
  } catch (error) {
    return refusal(hsm, error)
  }
}

/** The rows of calls.ts hold the types of each call together. */
type AnyWork = Readonly<Record<CallName, (request: unknown, context: object) => Promise<unknown>>>

async function execute(hsm: Pkcs11, kind: number, payload: Buffer, part: (payload: Buffer) => void): Promise<Buffer> {
  const name = callOf(kind)
  const { request, answer }: CallRow = calls[name]
  const context = { isRetry: kind >= retryFlag, part: (value: unknown) => part(answer.encode(value)) }
  return answer.encode(await (hsm as unknown as AnyWork)[name](request.decode(payload), context))
}

async function refusal(hsm: Pkcs11, error: unknown): Promise<Answer> {
  const failure = failureFrom(error)
  if (failure.code === 'InvalidState' && !(await hsm.provesAbsence())) return unproven()
  const returnCode = failure.cause instanceof CryptokiError ? failure.cause.returnCode : 'none'
  const payload = encodeFailure({ failure, returnCode })
  if (failure.code === 'InvalidState') return { kind: status.missing, payload }
  return { kind: statuses[await recoveryAfter(hsm, error)] ?? status.failed, payload }
}

async function recoveryAfter(hsm: Pkcs11, error: unknown): Promise<Recovery> {
  if (error instanceof FormChanged) return 'replace worker'
  const recovery = error instanceof PinRefused ? 'stop' : recoveryFrom(error)
  if (recovery !== 'ask the canary') return recovery
  if (!(await hsm.works())) return 'replace worker'
  return hsm.throttles(error) ? 'back off' : recoveryOfHealthy(error)
}
