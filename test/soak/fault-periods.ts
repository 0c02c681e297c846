/** Random faults of an HSM, and their durations. */
import type { SeededRandom } from './seeded-random.ts'

export interface FaultPeriod {
  readonly rules: readonly string[]
  /** Milliseconds. */
  readonly length: number
  /** Workers killed at its beginning. */
  readonly killed: number
}

/** One of each class of return-codes.ts, except those for invalid input, and for a refused PIN, which would end the test. */
const codes = [
  'CKR_ARGUMENTS_BAD',
  'CKR_SESSION_HANDLE_INVALID',
  'CKR_OPERATION_NOT_INITIALIZED',
  'CKR_USER_NOT_LOGGED_IN',
  'CKR_KEY_HANDLE_INVALID',
  'CKR_SESSION_COUNT',
  'CKR_DEVICE_ERROR',
  'CKR_FUNCTION_FAILED',
  '0x80000123',
]
const functions = [
  'C_*Init',
  'C_Encrypt',
  'C_Decrypt',
  'C_Sign',
  'C_Verify',
  'C_GenerateRandom',
  'C_OpenSession',
  'C_GetSessionInfo',
  'C_FindObjects*',
  'C_GetAttributeValue',
  'C_GenerateKey*',
  'C_CreateObject',
  'C_DestroyObject',
]
const anyCrypto = ['C_Encrypt*', 'C_Decrypt*', 'C_Sign*', 'C_GenerateRandom', 'C_GenerateKey', 'C_FindObjects']

type Draw = (random: SeededRandom) => Pick<FaultPeriod, 'rules'> & Partial<FaultPeriod>

const rule = (rule: string) => ({ rules: [rule] })
const few = (random: SeededRandom) => random.of([1, 1, 2, 3])
const fail = (random: SeededRandom) =>
  `fail ${random.of(functions)} ${random.of(codes)} rate ${random.between(0.001, 0.05).toFixed(4)}`

/** Faults that the worker process survives. */
const mild: readonly Draw[] = [
  random => rule(fail(random)),
  random => ({ rules: [fail(random), fail(random), fail(random)] }),
  () => rule('drop-sessions'),
  () => rule('forget-login'),
  () => rule('renumber-handles'),
  random => ({ rules: ['drop-sessions', fail(random)] }),
  () => rule('throttle C_Encrypt 200/s CKR_DEVICE_ERROR'),
  random => rule(`throttle C_*Init ${random.of([100, 1000])}/s CKR_DEVICE_MEMORY`),
  () => rule('delay C_* 200us jitter 2ms'),
  random => rule(`fail C_GenerateKey ${random.of(codes)} after times ${few(random)}`),
]

/** Faults that cost workers. */
const severe: readonly Draw[] = [
  random => rule(`crash ${random.of(anyCrypto)} times ${few(random)}`),
  () => rule('crash C_GenerateKey after times 1'),
  random => rule(`hang ${random.of(anyCrypto)} times ${few(random)}`),
  random => rule(`fail ${random.of(anyCrypto)} CKR_CRYPTOKI_NOT_INITIALIZED times ${few(random)}`),
  random => rule(`fail ${random.of(functions)} CKR_HOST_MEMORY times ${few(random)}`),
  random => ({ rules: ['gone'], length: random.between(300, 4000) }),
  random => ({ rules: [], killed: random.of([1, 1, 2]) }),
  random => ({ rules: [fail(random)], killed: 1 }),
]

/** Every third period has no faults. */
export function faultPeriod(random: SeededRandom, severity: 'mild' | 'severe'): FaultPeriod {
  const length = random.between(500, 4000)
  if (random.fraction() < 0.33) return { rules: [], length, killed: 0 }
  const draw = random.of(severity === 'severe' && random.fraction() < 0.4 ? severe : mild)
  return { length, killed: 0, ...draw(random) }
}
