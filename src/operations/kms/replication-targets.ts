/** The primary key of a multi-Region key, and what changes in other regions. */
import { Failure } from '../../errors.ts'
import { partitionOf } from '../../model/arn.ts'
import { type ConditionKeys, conditionValues } from '../../model/condition-keys.ts'
import type { Caller } from '../../model/identities/caller.ts'
import type { Key } from '../../model/keys/key.ts'
import { checkPrimary } from '../../model/keys/multi-region.ts'
import type { Permission, Search, TargetKind } from '../operation.ts'
import { callerConditionKeys } from './key-condition-keys.ts'
import type { Input } from './operation.ts'
import { tagConditionKeys } from './tag-condition-keys.ts'
import { type KeyTarget, keyTarget } from './targets.ts'

type Replication = Input<'ReplicateKey'>

/**
 * The primary key that is to be replicated. Its policy allows that, and identity-based policies allow the creation of the replica: KMS API
 * Reference, "ReplicateKey", "Required permissions".
 */
export const replication: TargetKind<Replication, KeyTarget> = {
  find(input, search) {
    const fits = (key: Key) => checkReplication(key, input.ReplicaRegion, search)
    const target = keyTarget(input.KeyId, { state: 'use', fits }, search)
    const key = search.storage.keys.find(target.resources[0]!)
    return Object.assign(target, { permissions: [...target.permissions, ...creations(input, key, search)] })
  },
}

function checkReplication(key: Key, replicaRegion: string, { hsms }: Pick<Search, 'hsms'>): void {
  checkPrimary(key)
  const { region } = key
  if (replicaRegion === region)
    throw new Failure('UnsupportedOperation', `${region} cannot have a replica because it contains the primary.`)
  if (partitionOf(replicaRegion) !== partitionOf(region))
    throw new Failure('UnsupportedOperation', `${replicaRegion} is not in the same partition as ${region}.`)
  if (!hsms.serves(replicaRegion))
    throw new Failure('UnsupportedOperation', `${replicaRegion} is not a region of this gateway.`)
}

/** As of CreateKey in the region of the replica, by identity-based policies only. */
function creations(input: Replication, key: Key | undefined, { caller }: Search): readonly Permission[] {
  const asked = { input, key, caller }
  const actions = ['CreateKey', ...(input.Tags?.length ? ['TagResource'] : [])]
  return actions.map(action => ({
    action,
    resource: '*',
    account: caller.account,
    conditionKeys: name => conditionValues(creationConditionKeys, name, asked),
  }))
}

interface CreationAsked {
  readonly input: Replication
  readonly key: Key | undefined
  readonly caller: Caller
}

const creationConditionKeys: ConditionKeys<CreationAsked> = {
  ...tagConditionKeys,
  ...callerConditionKeys,
  'aws:RequestedRegion': ({ input }) => input.ReplicaRegion,
  'kms:BypassPolicyLockoutSafetyCheck': ({ input }) => input.BypassPolicyLockoutSafetyCheck,
  'kms:CustomerMasterKeySpec': ({ key }) => key?.spec,
  'kms:CustomerMasterKeyUsage': ({ key }) => key?.usage,
  'kms:KeyOrigin': ({ key }) => key?.origin,
  'kms:KeySpec': ({ key }) => key?.spec,
  'kms:KeyUsage': ({ key }) => key?.usage,
  'kms:MultiRegion': () => true,
  'kms:MultiRegionKeyType': () => 'REPLICA',
}
