import { Failure } from '../errors.ts'

/** KMS Developer Guide, "Key states of AWS KMS keys". */
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion'

/** Operations that the key state treats alike. */
export type StateClass =
  /** Use of the key in cryptography. */
  | 'use'
  /** Reading the public key: recorded on AWS, for disabled keys too, though the guide denies it. */
  | 'publicKey'
  /** Reading metadata, policies and tags; changing policies; removing aliases. */
  | 'view'
  /** Changing tags or the description; pointing an alias at the key. */
  | 'modify'
  | 'enable'
  | 'scheduleDeletion'
  | 'cancelDeletion'

type Verdict = 'ok' | 'disabled' | 'pendingDeletion' | 'notPendingDeletion'

// biome-ignore format: a table
const verdicts: Record<StateClass, Record<KeyState, Verdict>> = {
  //                  Enabled                          Disabled                         PendingDeletion
  use:              { Enabled: 'ok',                 Disabled: 'disabled',            PendingDeletion: 'pendingDeletion' },
  publicKey:        { Enabled: 'ok',                 Disabled: 'ok',                  PendingDeletion: 'pendingDeletion' },
  view:             { Enabled: 'ok',                 Disabled: 'ok',                  PendingDeletion: 'ok' },
  modify:           { Enabled: 'ok',                 Disabled: 'ok',                  PendingDeletion: 'pendingDeletion' },
  enable:           { Enabled: 'ok',                 Disabled: 'ok',                  PendingDeletion: 'pendingDeletion' },
  scheduleDeletion: { Enabled: 'ok',                 Disabled: 'ok',                  PendingDeletion: 'pendingDeletion' },
  cancelDeletion:   { Enabled: 'notPendingDeletion', Disabled: 'notPendingDeletion',  PendingDeletion: 'ok' },
}

/** Throws AWS's failure when a key in this state does not serve an operation of this class. */
export function checkState(key: { readonly arn: string; readonly state: KeyState }, stateClass: StateClass): void {
  switch (verdicts[stateClass][key.state]) {
    case 'ok':
      return
    case 'disabled':
      throw new Failure('DisabledException', `${key.arn} is disabled.`)
    case 'pendingDeletion':
      throw new Failure('KMSInvalidStateException', `${key.arn} is pending deletion.`)
    case 'notPendingDeletion':
      throw new Failure('KMSInvalidStateException', `${key.arn} is not pending deletion.`)
  }
}
