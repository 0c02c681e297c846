import { describe, expect, it } from 'vitest'
import { Failure, UnusableKey } from '../../../src/errors.ts'
import {
  checkState,
  type KeyState,
  keyState,
  type StateClass,
  type Stateful,
} from '../../../src/model/keys/key-state.ts'

import { aMaterial } from '../../storage/records.ts'

const arn = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'

const generated = { origin: 'AWS_KMS', materials: [aMaterial(1)] } as const

function keyIn(state: KeyState): Stateful {
  if (state === 'Unavailable') return { ...generated, state: 'Enabled', custodyFault: 'missing' }
  if (state === 'PendingImport') return { origin: 'EXTERNAL', materials: [], state: 'Enabled' }
  return { ...generated, state }
}

function outcome(stateClass: StateClass, state: KeyState): string {
  try {
    checkState({ arn, ...keyIn(state) }, stateClass)
    return 'ok'
  } catch (error) {
    const { code, message } = error as { code: string; message: string }
    return `${code}: ${message.replace(`${arn} `, '')}`
  }
}

const D = 'Disabled: is disabled.'
const P = 'InvalidState: is pending deletion.'
const I = 'InvalidState: is pending import.'
const U = 'InvalidState: is unavailable.'
const notP = 'InvalidState: is not pending deletion.'

describe('key states', () => {
  // KMS Developer Guide, "Key states of AWS KMS keys".
  // biome-ignore format: a table
  it.each([
    ['use',               'ok', D,    P,    I,    U],
    ['grant',             'ok', D,    P,    I,    'ok'],
    ['publicKey',         'ok', 'ok', P,    I,    U],
    ['view',              'ok', 'ok', 'ok', 'ok', 'ok'],
    ['modify',            'ok', 'ok', P,    'ok', 'ok'],
    ['enable',            'ok', 'ok', P,    I,    'ok'],
    ['rotation',          'ok', D,    P,    I,    'ok'],
    ['import',            'ok', 'ok', P,    'ok', 'ok'],
    ['deleteMaterial',    'ok', 'ok', 'ok', 'ok', 'ok'],
    ['scheduleDeletion',  'ok', 'ok', P,    'ok', 'ok'],
    ['cancelDeletion',    notP, notP, 'ok', notP, notP],
  ] as const)('%s', (stateClass, enabled, disabled, pendingDeletion, pendingImport, unavailable) => {
    expect(outcome(stateClass, 'Enabled')).toBe(enabled)
    expect(outcome(stateClass, 'Disabled')).toBe(disabled)
    expect(outcome(stateClass, 'PendingDeletion')).toBe(pendingDeletion)
    expect(outcome(stateClass, 'PendingReplicaDeletion')).toBe(pendingDeletion)
    expect(outcome(stateClass, 'PendingImport')).toBe(pendingImport)
    expect(outcome(stateClass, 'Unavailable')).toBe(unavailable)
  })

  // Only those are reported to the operator as uses of the key.
  it.each([
    ['use', true],
    ['publicKey', true],
    ['grant', false],
    ['modify', false],
    ['import', false],
    ['scheduleDeletion', false],
  ] as const)('refuse %s as a use of the key: %s', (stateClass, isUse) => {
    const check = () => checkState({ arn, ...keyIn('PendingDeletion') }, stateClass)
    expect(check).toThrow(Failure)
    if (isUse) expect(check).toThrow(UnusableKey)
    else expect(check).not.toThrow(UnusableKey)
  })

  it.each([
    ['Enabled', 'Unavailable'],
    ['Disabled', 'Unavailable'],
    ['PendingDeletion', 'PendingDeletion'],
  ] as const)('show %s as %s while there is a custody fault, and as it is without', (state, shown) => {
    expect(keyState({ ...generated, state, custodyFault: 'wrong_key' })).toBe(shown)
    expect(keyState({ ...generated, state })).toBe(state)
  })

  const [here, gone] = [aMaterial(1), { ...aMaterial(2), object: undefined }]
  it.each([
    [[], 'PendingImport'],
    [[gone], 'PendingImport'],
    [[gone, here], 'PendingImport'],
    [[here, gone], 'PendingImport'],
    [[here, here], 'Enabled'],
  ] as const)('depend on all materials of a key of imported material', (materials, shown) => {
    const key = { origin: 'EXTERNAL', state: 'Enabled', materials } as const
    expect(keyState(key)).toBe(shown)
    expect(keyState({ ...key, custodyFault: 'missing' })).toBe(shown === 'Enabled' ? 'Unavailable' : shown)
    expect(keyState({ ...key, state: 'PendingDeletion' })).toBe('PendingDeletion')
  })

  it('lets no key material be imported while its custom key store is not connected', () => {
    const key = { ...generated, arn, state: 'Enabled', origin: 'EXTERNAL', customKeyStoreId: 'cks-1' } as const
    for (const state of ['DISCONNECTED', 'FAILED'] as const) {
      expect(() => checkState(key, 'import', { state })).toThrow(`${arn} is unavailable.`)
      expect(() => checkState(key, 'deleteMaterial', { state })).not.toThrow()
    }
    expect(() => checkState(key, 'import', { state: 'CONNECTED' })).not.toThrow()
  })

  it.each([
    ['Enabled', 'Unavailable'],
    ['Disabled', 'Unavailable'],
    ['PendingDeletion', 'PendingDeletion'],
  ] as const)('of a %s key in a custom key store is %s unless that is connected', (state, away) => {
    const key = { ...generated, state, customKeyStoreId: 'cks-1' }
    for (const other of ['DISCONNECTED', 'CONNECTING', 'FAILED', 'DISCONNECTING'] as const)
      expect(keyState(key, { state: other })).toBe(away)
    // One that is forgotten: better unavailable than used.
    expect(keyState(key)).toBe(away)
    expect(keyState(key, { state: 'CONNECTED' })).toBe(state)
  })
})
