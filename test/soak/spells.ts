/** What may befall an HSM, and for how long. */
import type { Chance } from './chance.ts'

export interface Spell {
  readonly rules: readonly string[]
  /** Milliseconds. */
  readonly length: number
  /** Workers that are killed at its beginning. */
  readonly killed: number
}

/**
 * One of each class of return-codes.ts, but for those that say of what was asked that it is wrong, as only the HSM can know that, and
 * for a refused PIN, which ends it all.
 */
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

type Draw = (chance: Chance) => Pick<Spell, 'rules'> & Partial<Spell>

const rule = (rule: string) => ({ rules: [rule] })
const few = (chance: Chance) => chance.of([1, 1, 2, 3])
const fail = (chance: Chance) =>
  `fail ${chance.of(functions)} ${chance.of(codes)} rate ${chance.between(0.001, 0.05).toFixed(4)}`

/** The process goes on. */
const mild: readonly Draw[] = [
  chance => rule(fail(chance)),
  chance => ({ rules: [fail(chance), fail(chance), fail(chance)] }),
  () => rule('drop-sessions'),
  () => rule('forget-login'),
  () => rule('renumber-handles'),
  chance => ({ rules: ['drop-sessions', fail(chance)] }),
  () => rule('throttle C_Encrypt 200/s CKR_DEVICE_ERROR'),
  chance => rule(`throttle C_*Init ${chance.of([100, 1000])}/s CKR_DEVICE_MEMORY`),
  () => rule('delay C_* 200us jitter 2ms'),
  chance => rule(`fail C_GenerateKey ${chance.of(codes)} after times ${few(chance)}`),
]

/** Workers are lost. */
const grave: readonly Draw[] = [
  chance => rule(`crash ${chance.of(anyCrypto)} times ${few(chance)}`),
  () => rule('crash C_GenerateKey after times 1'),
  chance => rule(`hang ${chance.of(anyCrypto)} times ${few(chance)}`),
  chance => rule(`fail ${chance.of(anyCrypto)} CKR_CRYPTOKI_NOT_INITIALIZED times ${few(chance)}`),
  chance => rule(`fail ${chance.of(functions)} CKR_HOST_MEMORY times ${few(chance)}`),
  chance => ({ rules: ['gone'], length: chance.between(300, 4000) }),
  chance => ({ rules: [], killed: chance.of([1, 1, 2]) }),
  chance => ({ rules: [fail(chance)], killed: 1 }),
]

/** Every third one is calm. */
export function spell(chance: Chance, graveness: 'mild' | 'grave'): Spell {
  const length = chance.between(500, 4000)
  if (chance.fraction() < 0.33) return { rules: [], length, killed: 0 }
  const draw = chance.of(graveness === 'grave' && chance.fraction() < 0.4 ? grave : mild)
  return { length, killed: 0, ...draw(chance) }
}
