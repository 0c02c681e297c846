/** Every PKCS#11 return code: its meaning, and the recovery. */
import { Failure, type FailureCode } from '../errors.ts'

/** The recovery before the call is either repeated or fails. Each is tried once per call. */
export type Recovery =
  | 'none'
  /** The session is unusable: the call is repeated in a new one. */
  | 'new session'
  /** The gateway lets one worker after another log in again, and repeats the call. */
  | 'log in again'
  /** The object is looked up again by its CKA_ID and the call repeated. */
  | 'find again'
  /** The call is repeated after a pause, until its time-out. */
  | 'back off'
  /** The code does not tell whether the HSM works: the worker tests it with the canary key. */
  | 'ask the canary'
  /** The worker ends and is replaced by a new process; the call is repeated by another worker. */
  | 'replace worker'
  /** None: tokens lock after a few wrong PINs, so no PIN is tried twice. */
  | 'stop'

interface ReturnCodeClass {
  readonly recovery: Recovery
  /** The recovery if the canary key works, so that the HSM is not at fault. */
  readonly healthy?: Recovery
  /** The failure if the recovery does not help. */
  readonly failure: FailureCode
}

export const classes = {
  ok: { recovery: 'none', failure: 'Internal' },
  /** The request cannot be fulfilled; a retry would not help. */
  caller: { recovery: 'none', failure: 'Internal' },
  sessionLost: { recovery: 'new session', failure: 'KeyUnavailable' },
  loginLost: { recovery: 'log in again', failure: 'KeyUnavailable' },
  pinRefused: { recovery: 'stop', failure: 'KeyUnavailable' },
  /** An object that is found, but whose handle is unusable, is not missing. */
  handleStale: { recovery: 'find again', failure: 'KeyUnavailable' },
  busy: { recovery: 'back off', failure: 'Throttling' },
  /** AWS CloudHSM throttles with CKR_DEVICE_ERROR. */
  deviceLost: { recovery: 'ask the canary', healthy: 'back off', failure: 'KeyUnavailable' },
  libraryBroken: { recovery: 'replace worker', failure: 'KeyUnavailable' },
  /**
   * Ambiguous: several vendors answer an invalid ciphertext with CKR_GENERAL_ERROR, and a mechanism that worked is refused after the HSM
   * was switched to FIPS mode.
   */
  unknown: { recovery: 'ask the canary', healthy: 'none', failure: 'Internal' },
} as const satisfies Record<string, ReturnCodeClass>
export type ClassName = keyof typeof classes

type Row = readonly [value: number, className: ClassName, failure?: FailureCode]

/** PKCS#11 v2.40 errata 01, section 11.1 and header pkcs11t.h; the last rows are from v3.0 and v3.2. */
// biome-ignore format: a table
export const returnCodes = {
  CKR_OK:                               [0x000, 'ok'],
  CKR_CANCEL:                           [0x001, 'unknown'],
  CKR_HOST_MEMORY:                      [0x002, 'libraryBroken'],
  CKR_SLOT_ID_INVALID:                  [0x003, 'deviceLost'],
  CKR_GENERAL_ERROR:                    [0x005, 'unknown'],
  CKR_FUNCTION_FAILED:                  [0x006, 'unknown'],
  CKR_ARGUMENTS_BAD:                    [0x007, 'caller'],
  CKR_NO_EVENT:                         [0x008, 'unknown'],
  CKR_NEED_TO_CREATE_THREADS:           [0x009, 'libraryBroken'],
  CKR_CANT_LOCK:                        [0x00a, 'libraryBroken'],
  CKR_ATTRIBUTE_READ_ONLY:              [0x010, 'caller'],
  CKR_ATTRIBUTE_SENSITIVE:              [0x011, 'caller'],
  CKR_ATTRIBUTE_TYPE_INVALID:           [0x012, 'caller'],
  CKR_ATTRIBUTE_VALUE_INVALID:          [0x013, 'caller'],
  CKR_ACTION_PROHIBITED:                [0x01b, 'caller'],
  CKR_DATA_INVALID:                     [0x020, 'caller', 'Validation'],
  CKR_DATA_LEN_RANGE:                   [0x021, 'caller', 'Validation'],
  CKR_DEVICE_ERROR:                     [0x030, 'deviceLost'],
  CKR_DEVICE_MEMORY:                    [0x031, 'busy'],
  CKR_DEVICE_REMOVED:                   [0x032, 'deviceLost'],
  CKR_ENCRYPTED_DATA_INVALID:           [0x040, 'caller', 'InvalidCiphertext'],
  CKR_ENCRYPTED_DATA_LEN_RANGE:         [0x041, 'caller', 'InvalidCiphertext'],
  CKR_FUNCTION_CANCELED:                [0x050, 'busy'],
  CKR_FUNCTION_NOT_PARALLEL:            [0x051, 'unknown'],
  CKR_FUNCTION_NOT_SUPPORTED:           [0x054, 'caller', 'UnsupportedOperation'],
  CKR_KEY_HANDLE_INVALID:               [0x060, 'handleStale'],
  CKR_KEY_SIZE_RANGE:                   [0x062, 'caller', 'UnsupportedOperation'],
  CKR_KEY_TYPE_INCONSISTENT:            [0x063, 'caller'],
  CKR_KEY_NOT_NEEDED:                   [0x064, 'caller'],
  CKR_KEY_CHANGED:                      [0x065, 'caller'],
  CKR_KEY_NEEDED:                       [0x066, 'caller'],
  CKR_KEY_INDIGESTIBLE:                 [0x067, 'caller'],
  CKR_KEY_FUNCTION_NOT_PERMITTED:       [0x068, 'caller'],
  CKR_KEY_NOT_WRAPPABLE:                [0x069, 'caller'],
  CKR_KEY_UNEXTRACTABLE:                [0x06a, 'caller'],
  CKR_MECHANISM_INVALID:                [0x070, 'unknown', 'UnsupportedOperation'],
  CKR_MECHANISM_PARAM_INVALID:          [0x071, 'unknown', 'UnsupportedOperation'],
  CKR_OBJECT_HANDLE_INVALID:            [0x082, 'handleStale'],
  CKR_OPERATION_ACTIVE:                 [0x090, 'sessionLost'],
  CKR_OPERATION_NOT_INITIALIZED:        [0x091, 'sessionLost'],
  CKR_PIN_INCORRECT:                    [0x0a0, 'pinRefused'],
  CKR_PIN_INVALID:                      [0x0a1, 'pinRefused'],
  CKR_PIN_LEN_RANGE:                    [0x0a2, 'pinRefused'],
  CKR_PIN_EXPIRED:                      [0x0a3, 'pinRefused'],
  CKR_PIN_LOCKED:                       [0x0a4, 'pinRefused'],
  CKR_SESSION_CLOSED:                   [0x0b0, 'sessionLost'],
  CKR_SESSION_COUNT:                    [0x0b1, 'busy'],
  CKR_SESSION_HANDLE_INVALID:           [0x0b3, 'sessionLost'],
  CKR_SESSION_PARALLEL_NOT_SUPPORTED:   [0x0b4, 'unknown'],
  CKR_SESSION_READ_ONLY:                [0x0b5, 'sessionLost'],
  CKR_SESSION_EXISTS:                   [0x0b6, 'unknown'],
  CKR_SESSION_READ_ONLY_EXISTS:         [0x0b7, 'unknown'],
  CKR_SESSION_READ_WRITE_SO_EXISTS:     [0x0b8, 'unknown'],
  CKR_SIGNATURE_INVALID:                [0x0c0, 'caller'],
  CKR_SIGNATURE_LEN_RANGE:              [0x0c1, 'caller'],
  CKR_TEMPLATE_INCOMPLETE:              [0x0d0, 'caller'],
  CKR_TEMPLATE_INCONSISTENT:            [0x0d1, 'caller'],
  CKR_TOKEN_NOT_PRESENT:                [0x0e0, 'deviceLost'],
  CKR_TOKEN_NOT_RECOGNIZED:             [0x0e1, 'deviceLost'],
  CKR_TOKEN_WRITE_PROTECTED:            [0x0e2, 'unknown'],
  CKR_UNWRAPPING_KEY_HANDLE_INVALID:    [0x0f0, 'handleStale'],
  CKR_UNWRAPPING_KEY_SIZE_RANGE:        [0x0f1, 'caller', 'InvalidCiphertext'],
  CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT: [0x0f2, 'caller', 'InvalidCiphertext'],
  CKR_USER_ALREADY_LOGGED_IN:           [0x100, 'ok'],
  CKR_USER_NOT_LOGGED_IN:               [0x101, 'loginLost'],
  CKR_USER_PIN_NOT_INITIALIZED:         [0x102, 'pinRefused'],
  CKR_USER_TYPE_INVALID:                [0x103, 'pinRefused'],
  CKR_USER_ANOTHER_ALREADY_LOGGED_IN:   [0x104, 'loginLost'],
  CKR_USER_TOO_MANY_TYPES:              [0x105, 'loginLost'],
  CKR_WRAPPED_KEY_INVALID:              [0x110, 'caller', 'InvalidCiphertext'],
  CKR_WRAPPED_KEY_LEN_RANGE:            [0x112, 'caller', 'InvalidCiphertext'],
  CKR_WRAPPING_KEY_HANDLE_INVALID:      [0x113, 'handleStale'],
  CKR_WRAPPING_KEY_SIZE_RANGE:          [0x114, 'caller'],
  CKR_WRAPPING_KEY_TYPE_INCONSISTENT:   [0x115, 'caller'],
  CKR_RANDOM_SEED_NOT_SUPPORTED:        [0x120, 'caller', 'UnsupportedOperation'],
  CKR_RANDOM_NO_RNG:                    [0x121, 'caller', 'UnsupportedOperation'],
  CKR_DOMAIN_PARAMS_INVALID:            [0x130, 'caller', 'UnsupportedOperation'],
  CKR_CURVE_NOT_SUPPORTED:              [0x140, 'caller', 'UnsupportedOperation'],
  CKR_BUFFER_TOO_SMALL:                 [0x150, 'sessionLost'],
  CKR_SAVED_STATE_INVALID:              [0x160, 'caller'],
  CKR_INFORMATION_SENSITIVE:            [0x170, 'caller'],
  CKR_STATE_UNSAVEABLE:                 [0x180, 'caller'],
  CKR_CRYPTOKI_NOT_INITIALIZED:         [0x190, 'libraryBroken'],
  CKR_CRYPTOKI_ALREADY_INITIALIZED:     [0x191, 'ok'],
  CKR_MUTEX_BAD:                        [0x1a0, 'libraryBroken'],
  CKR_MUTEX_NOT_LOCKED:                 [0x1a1, 'libraryBroken'],
  CKR_NEW_PIN_MODE:                     [0x1b0, 'pinRefused'],
  CKR_NEXT_OTP:                         [0x1b1, 'pinRefused'],
  CKR_EXCEEDED_MAX_ITERATIONS:          [0x1b5, 'unknown'],
  CKR_FIPS_SELF_TEST_FAILED:            [0x1b6, 'deviceLost'],
  CKR_LIBRARY_LOAD_FAILED:              [0x1b7, 'libraryBroken'],
  CKR_PIN_TOO_WEAK:                     [0x1b8, 'pinRefused'],
  CKR_PUBLIC_KEY_INVALID:               [0x1b9, 'caller'],
  CKR_FUNCTION_REJECTED:                [0x200, 'caller'],
  CKR_AEAD_DECRYPT_FAILED:              [0x042, 'caller', 'InvalidCiphertext'],
  CKR_TOKEN_RESOURCE_EXCEEDED:          [0x201, 'busy'],
  CKR_OPERATION_CANCEL_FAILED:          [0x202, 'sessionLost'],
  CKR_KEY_EXHAUSTED:                    [0x203, 'caller'],
  CKR_PARAMETER_SET_NOT_SUPPORTED:      [0x209, 'caller', 'UnsupportedOperation'],
} as const satisfies Record<string, Row>
export type ReturnCode = keyof typeof returnCodes

const names = new Map<number, ReturnCode>(
  Object.entries(returnCodes).map(([name, [value]]) => [value, name as ReturnCode]),
)

/** Name of a return code. All vendor-defined codes share one, so that metrics stay bounded. */
export function returnCodeName(value: number): string {
  return names.get(value >>> 0) ?? (value >>> 0 >= 0x8000_0000 ? 'CKR_VENDOR_DEFINED' : 'CKR_UNKNOWN')
}

export function classOf(value: number): ClassName {
  const name = names.get(value >>> 0)
  return name === undefined ? 'unknown' : returnCodes[name][1]
}

/** A PKCS#11 function that did not answer CKR_OK. */
export class CryptokiError extends Error {
  /** Name of the function, for example `C_Encrypt`. */
  readonly function: string
  readonly code: number
  readonly returnCode: string

  constructor(functionName: string, code: number) {
    const returnCode = returnCodeName(code)
    super(`${functionName}: ${returnCode} (0x${(code >>> 0).toString(16)})`)
    this.name = 'CryptokiError'
    this.function = functionName
    this.code = code
    this.returnCode = returnCode
  }
}

/** Of anything thrown; errors without a return code have no recovery. */
export function recoveryFrom(thrown: unknown): Recovery {
  return thrown instanceof CryptokiError ? classes[classOf(thrown.code)].recovery : 'none'
}

/** The same, if the canary key works. */
export function recoveryOfHealthy(thrown: unknown): Recovery {
  if (!(thrown instanceof CryptokiError)) return 'none'
  const { recovery, healthy = recovery }: ReturnCodeClass = classes[classOf(thrown.code)]
  return healthy
}

/** The failure for the caller. The return code is in the cause, unless the failure expresses it. */
export function failureFrom(thrown: unknown): Failure {
  if (!(thrown instanceof CryptokiError)) return Failure.from(thrown)
  const code = failureCodeOf(thrown)
  const text = code === 'UnsupportedOperation' ? `The HSM refuses this with ${thrown.returnCode}.` : ''
  return new Failure(code, text, { cause: thrown })
}

function failureCodeOf(error: CryptokiError): FailureCode {
  const name = names.get(error.code >>> 0)
  const row: Row = name === undefined ? [error.code, 'unknown'] : returnCodes[name]
  return row[2] ?? classes[row[1]].failure
}
