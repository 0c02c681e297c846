import { Failure } from '../../errors.ts'
import type { Key, RememberedState } from './key.ts'

/** KMS Developer Guide, "Key states of AWS KMS keys". */
export type KeyState = RememberedState | 'Unavailable'

/** As in a disconnected custom key store: the stored state is kept, and applies again when the fault is fixed. */
export function keyState({ state, custodyFault }: Pick<Key, 'state' | 'custodyFault'>): KeyState {
  return custodyFault === undefined || state === 'PendingDeletion' ? state : 'Unavailable'
}

/** Operations that are allowed in the same key states. */
export type StateClass =
  /** Use of the key in cryptography. */
  | 'use'
  /** Creation of grants. */
  | 'grant'
  /** Reading the public key: recorded on AWS, for disabled keys too, though the guide says otherwise. */
  | 'publicKey'
  /** Reading metadata, policies and tags; changing policies; removing aliases. */
  | 'view'
  /** Changing tags or the description; pointing an alias at the key. */
  | 'modify'
  | 'enable'
  | 'scheduleDeletion'
  | 'cancelDeletion'

type Verdict = 'ok' | 'disabled' | 'pendingDeletion' | 'notPendingDeletion' | 'unavailable'

// biome-ignore format: a table
const verdicts: Record<StateClass, Record<KeyState, Verdict>> = {
  use:              { Enabled: 'ok',                 Disabled: 'disabled',           PendingDeletion: 'pendingDeletion', Unavailable: 'unavailable' },
  grant:            { Enabled: 'ok',                 Disabled: 'disabled',           PendingDeletion: 'pendingDeletion', Unavailable: 'ok' },
  publicKey:        { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'pendingDeletion', Unavailable: 'unavailable' },
  view:             { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'ok',              Unavailable: 'ok' },
  modify:           { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'pendingDeletion', Unavailable: 'ok' },
  enable:           { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'pendingDeletion', Unavailable: 'ok' },
  scheduleDeletion: { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'pendingDeletion', Unavailable: 'ok' },
  cancelDeletion:   { Enabled: 'notPendingDeletion', Disabled: 'notPendingDeletion', PendingDeletion: 'ok',              Unavailable: 'notPendingDeletion' },
}

/** Throws AWS's error if a key in this state does not allow operations of this class. */
export function checkState(key: Pick<Key, 'arn' | 'state' | 'custodyFault'>, stateClass: StateClass): void {
  switch (verdicts[stateClass][keyState(key)]) {
    case 'ok':
      return
    case 'disabled':
      throw new Failure('Disabled', `${key.arn} is disabled.`)
    case 'pendingDeletion':
      throw new Failure('InvalidState', `${key.arn} is pending deletion.`)
    case 'notPendingDeletion':
      throw new Failure('InvalidState', `${key.arn} is not pending deletion.`)
    case 'unavailable':
      throw new Failure('InvalidState', `${key.arn} is unavailable.`)
  }
}
