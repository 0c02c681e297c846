import { Failure, UnusableKey } from '../../errors.ts'
import type { CustomKeyStore } from './custom-key-store.ts'
import type { Key, RememberedState } from './key.ts'

/** KMS Developer Guide, "Key states of AWS KMS keys". */
export type KeyState = RememberedState | 'PendingImport' | 'Unavailable'

/** What determines the state of a key. */
export type Stateful = Pick<Key, 'state' | 'custodyFault' | 'origin' | 'materials' | 'customKeyStoreId'>

/** The custom key store of a key: see `ofKey` in storage.ts. */
export type StoreOfKey = Pick<CustomKeyStore, 'state'> | undefined

/**
 * The remembered state applies again when the store is connected again, its material is imported again, or a fault is fixed.
 *
 * @param store in which the key is, if it is in one
 */
export function keyState(key: Stateful, store?: StoreOfKey): KeyState {
  const state = stateApartFromStore(key)
  return isAway(key, store) && !isPendingDeletion(key) ? 'Unavailable' : state
}

function isAway({ customKeyStoreId }: Stateful, store: StoreOfKey): boolean {
  return customKeyStoreId !== undefined && store?.state !== 'CONNECTED'
}

/** The same, whatever the state of its custom key store. */
export function stateApartFromStore(key: Stateful): KeyState {
  if (isPendingDeletion(key)) return key.state
  if (isPendingImport(key)) return 'PendingImport'
  return key.custodyFault === undefined ? key.state : 'Unavailable'
}

/** Whether its deletion is scheduled, be it that a primary key waits for that of its replicas. */
export function isPendingDeletion({ state }: Pick<Key, 'state'>): boolean {
  return state === 'PendingDeletion' || state === 'PendingReplicaDeletion'
}

/** KMS Developer Guide, "Importing key material": all materials must be there, but for one that is pending rotation. */
function isPendingImport({ origin, materials }: Stateful): boolean {
  return origin === 'EXTERNAL' && (materials.length === 0 || materials.some(({ object }) => object === undefined))
}

/** Operations that are allowed in the same key states. */
export type StateClass =
  /** Use of the key in cryptography, and rotation on demand. */
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
  /** Enabling and disabling automatic rotation, which goes on once the key is available again. */
  | 'rotation'
  | 'scheduleDeletion'
  | 'cancelDeletion'
  /** Importing key material, and what that needs. A key whose object is gone can get it back. */
  | 'import'
  /** Deleting imported key material. */
  | 'deleteMaterial'

type Verdict = 'ok' | 'disabled' | 'pendingDeletion' | 'notPendingDeletion' | 'pendingImport' | 'unavailable'

// biome-ignore format: a table
const verdicts: Record<StateClass, Record<Exclude<KeyState, 'PendingReplicaDeletion'>, Verdict>> = {
  use:              { Enabled: 'ok',                 Disabled: 'disabled',           PendingDeletion: 'pendingDeletion', PendingImport: 'pendingImport',      Unavailable: 'unavailable' },
  grant:            { Enabled: 'ok',                 Disabled: 'disabled',           PendingDeletion: 'pendingDeletion', PendingImport: 'pendingImport',      Unavailable: 'ok' },
  publicKey:        { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'pendingDeletion', PendingImport: 'pendingImport',      Unavailable: 'unavailable' },
  view:             { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'ok',              PendingImport: 'ok',                 Unavailable: 'ok' },
  modify:           { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'pendingDeletion', PendingImport: 'ok',                 Unavailable: 'ok' },
  enable:           { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'pendingDeletion', PendingImport: 'pendingImport',      Unavailable: 'ok' },
  rotation:         { Enabled: 'ok',                 Disabled: 'disabled',           PendingDeletion: 'pendingDeletion', PendingImport: 'pendingImport',      Unavailable: 'ok' },
  scheduleDeletion: { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'pendingDeletion', PendingImport: 'ok',                 Unavailable: 'ok' },
  import:           { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'pendingDeletion', PendingImport: 'ok',                 Unavailable: 'ok' },
  deleteMaterial:   { Enabled: 'ok',                 Disabled: 'ok',                 PendingDeletion: 'ok',              PendingImport: 'ok',                 Unavailable: 'ok' },
  cancelDeletion:   { Enabled: 'notPendingDeletion', Disabled: 'notPendingDeletion', PendingDeletion: 'ok',              PendingImport: 'notPendingDeletion', Unavailable: 'notPendingDeletion' },
}

/** Throws AWS's error if a key in this state does not allow operations of this class: an UnusableKey for those that use the key. */
export function checkState(key: Stateful & Pick<Key, 'arn'>, stateClass: StateClass, store?: StoreOfKey): void {
  const state = keyState(key, store)
  const given = verdicts[stateClass][state === 'PendingReplicaDeletion' ? 'PendingDeletion' : state]
  // A key whose object is gone can get it back, but not while its store is not connected.
  const verdict = isAway(key, store) && stateClass === 'import' && given === 'ok' ? 'unavailable' : given
  if (verdict === 'ok') return
  const code = verdict === 'disabled' ? 'Disabled' : 'InvalidState'
  const message = `${key.arn} is ${words[verdict]}.`
  const isUse = stateClass === 'use' || stateClass === 'publicKey'
  throw isUse ? new UnusableKey(code, message, { arn: key.arn, state }) : new Failure(code, message)
}

const words: Record<Exclude<Verdict, 'ok'>, string> = {
  disabled: 'disabled',
  pendingDeletion: 'pending deletion',
  notPendingDeletion: 'not pending deletion',
  pendingImport: 'pending import',
  unavailable: 'unavailable',
}
