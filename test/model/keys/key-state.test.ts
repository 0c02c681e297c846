import { describe, expect, it } from 'vitest'
import { checkState, type KeyState, keyState, type StateClass } from '../../../src/model/keys/key-state.ts'

const arn = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'

function outcome(stateClass: StateClass, state: KeyState): string {
  try {
    checkState(
      state === 'Unavailable' ? { arn, state: 'Enabled', custodyFault: 'missing' } : { arn, state },
      stateClass,
    )
    return 'ok'
  } catch (error) {
    const { code, message } = error as { code: string; message: string }
    return `${code}: ${message.replace(`${arn} `, '')}`
  }
}

const D = 'Disabled: is disabled.'
const P = 'InvalidState: is pending deletion.'
const U = 'InvalidState: is unavailable.'
const notP = 'InvalidState: is not pending deletion.'

describe('key states', () => {
  // KMS Developer Guide, "Key states of AWS KMS keys".
  // biome-ignore format: a table
  it.each([
    ['use',               'ok', D,    P,    U],
    ['publicKey',         'ok', 'ok', P,    U],
    ['view',              'ok', 'ok', 'ok', 'ok'],
    ['modify',            'ok', 'ok', P,    'ok'],
    ['enable',            'ok', 'ok', P,    'ok'],
    ['scheduleDeletion',  'ok', 'ok', P,    'ok'],
    ['cancelDeletion',    notP, notP, 'ok', notP],
  ] as const)('%s', (stateClass, enabled, disabled, pendingDeletion, unavailable) => {
    expect(outcome(stateClass, 'Enabled')).toBe(enabled)
    expect(outcome(stateClass, 'Disabled')).toBe(disabled)
    expect(outcome(stateClass, 'PendingDeletion')).toBe(pendingDeletion)
    expect(outcome(stateClass, 'Unavailable')).toBe(unavailable)
  })

  it.each([
    ['Enabled', 'Unavailable'],
    ['Disabled', 'Unavailable'],
    ['PendingDeletion', 'PendingDeletion'],
  ] as const)('show %s as %s while there is a custody fault, and as it is without', (state, shown) => {
    expect(keyState({ state, custodyFault: 'wrong_key' })).toBe(shown)
    expect(keyState({ state })).toBe(state)
  })
})
