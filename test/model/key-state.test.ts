import { describe, expect, it } from 'vitest'
import { checkState, type KeyState, type StateClass } from '../../src/model/key-state.ts'

const arn = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'

function outcome(stateClass: StateClass, state: KeyState): string {
  try {
    checkState({ arn, state }, stateClass)
    return 'ok'
  } catch (error) {
    const { code, message } = error as { code: string; message: string }
    return `${code}: ${message.replace(`${arn} `, '')}`
  }
}

const D = 'DisabledException: is disabled.'
const P = 'KMSInvalidStateException: is pending deletion.'
const notP = 'KMSInvalidStateException: is not pending deletion.'

describe('key states', () => {
  // KMS Developer Guide, "Key states of AWS KMS keys".
  // biome-ignore format: a table
  it.each([
    ['use',              'ok', D,    P],
    ['publicKey',        'ok', 'ok', P],
    ['view',             'ok', 'ok', 'ok'],
    ['modify',           'ok', 'ok', P],
    ['enable',           'ok', 'ok', P],
    ['scheduleDeletion', 'ok', 'ok', P],
    ['cancelDeletion',   notP, notP, 'ok'],
  ] as const)('%s', (stateClass, enabled, disabled, pendingDeletion) => {
    expect(outcome(stateClass, 'Enabled')).toBe(enabled)
    expect(outcome(stateClass, 'Disabled')).toBe(disabled)
    expect(outcome(stateClass, 'PendingDeletion')).toBe(pendingDeletion)
  })
})
