/** New keys in custom key stores: KMS API Reference, "CreateKey", Origin, CustomKeyStoreId and XksKeyId. */
import { Failure } from '../../errors.ts'
import type { Caller } from '../../model/identities/caller.ts'
import { type CustomKeyStore, checkStoreState } from '../../model/keys/custom-key-store.ts'
import { type Key, objectOf } from '../../model/keys/key.ts'
import type { Changes, Hsm, Services, Storage } from '../../services.ts'
import type { Target, TargetKind } from '../operation.ts'
import { findStore, recordedStore } from './custom-key-store-targets.ts'
import type { Input } from './operation.ts'
import { account } from './targets.ts'

type Creation = Input<'CreateKey'>

/** Of CreateKey. */
export const newKeyTarget: TargetKind<Creation, Target> = {
  find(input, search) {
    const actions = account<Creation>(({ Tags }) => (Tags?.length ? ['TagResource'] : []))
    const found = actions.find(input, search) as Target
    const store = input.CustomKeyStoreId && findStore(input.CustomKeyStoreId, search.caller, search.storage)
    return store ? { ...found, additionalEventData: recordedStore(store) } : found
  },
}

/** CloudTrail's additionalEventData of a new key in a CloudHSM cluster, as JSON: its HSM object. */
export function recordedBackingKey({ list }: Changes): Readonly<Record<string, string>> | undefined {
  for (const { noun, record } of list) {
    if (noun !== 'keys' || record.origin !== 'AWS_CLOUDHSM') continue
    return { backingKey: JSON.stringify({ backingKeyId: objectOf(record.materials[0]!).id }) }
  }
  return undefined
}

/**
 * The custom key store that the request names, if any. Throws if the key cannot be created in it.
 *
 * @param kind of the new key
 */
export function storeOfNew(
  input: Creation,
  { spec }: Pick<Key, 'spec'>,
  caller: Caller,
  { storage, keyStores }: Pick<Services, 'storage' | 'keyStores'>,
): CustomKeyStore | undefined {
  const { Origin = 'AWS_KMS', CustomKeyStoreId, XksKeyId, MultiRegion } = input
  if (CustomKeyStoreId === undefined) return refuseStoreMembers(Origin, XksKeyId)
  const store = findStore(CustomKeyStoreId, caller, storage)
  if (!store) throw new Failure('CustomKeyStoreNotFound', `Custom key store ${CustomKeyStoreId} is not found.`)
  const { type } = store
  const isUnlimited = keyStores.allKeySpecs && type === 'AWS_CLOUDHSM'
  const origins = type === 'EXTERNAL_KEY_STORE' ? [type] : isUnlimited ? ['AWS_CLOUDHSM', 'EXTERNAL'] : ['AWS_CLOUDHSM']
  if (!origins.includes(Origin))
    throw new Failure('Validation', `Origin must be ${origins.join(' or ')} for a key in custom key store ${store.id}.`)
  if ((type === 'EXTERNAL_KEY_STORE') !== (XksKeyId !== undefined))
    throw new Failure(
      'Validation',
      'XksKeyId is required for a key in an external key store, and not valid for others.',
    )
  if (MultiRegion) throw unsupported('Multi-Region keys are')
  if (spec !== 'SYMMETRIC_DEFAULT' && !isUnlimited) throw unsupported(`Keys of KeySpec ${spec} are`)
  checkStoreState(store, 'use')
  checkXksKey(store, XksKeyId, storage)
  return store
}

function refuseStoreMembers(origin: string, xksKeyId: string | undefined): undefined {
  if (origin === 'AWS_CLOUDHSM' || origin === 'EXTERNAL_KEY_STORE')
    throw new Failure('Validation', `CustomKeyStoreId is required when Origin is ${origin}.`)
  if (xksKeyId !== undefined)
    throw new Failure('Validation', 'XksKeyId is valid only with Origin EXTERNAL_KEY_STORE and a CustomKeyStoreId.')
  return undefined
}

function unsupported(what: string): Failure {
  return new Failure('UnsupportedOperation', `${what} not supported in a custom key store.`)
}

/** A KMS key that is pending deletion has its external key, too. */
function checkXksKey({ id }: CustomKeyStore, xksKeyId: string | undefined, { keys }: Storage): void {
  if (xksKeyId === undefined || keys.inStore(id).every(key => key.xksKeyId !== xksKeyId)) return
  throw new Failure(
    'XksKeyAlreadyInUse',
    `The external key ${xksKeyId} is associated with another KMS key of the store.`,
  )
}

/** KMS Developer Guide, "Create a KMS key in a CloudHSM key store": keys are created only while at least two HSMs of a cluster are active. */
export function checkCluster({ health: { members } }: Hsm): void {
  if (members === undefined || members.filter(({ state }) => state === 'ready').length >= 2) return
  throw new Failure('CloudHsmClusterInvalidConfiguration', 'Fewer than two HSMs of the cluster are active.')
}
