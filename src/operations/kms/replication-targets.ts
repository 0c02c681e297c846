/** The primary key of a multi-Region key, and what changes in other regions. */
import { Failure } from '../../errors.ts'
import { keyArn, partitionOf } from '../../model/arn.ts'
import { type ConditionKeys, conditionValues } from '../../model/condition-keys.ts'
import type { Caller } from '../../model/identities/caller.ts'
import type { Key } from '../../model/keys/key.ts'
import { callerConditionKeys } from '../../model/keys/key-condition-keys.ts'
import { checkPrimary } from '../../model/keys/multi-region.ts'
import type { Permission, Search, TargetKind } from '../operation.ts'
import type { Input } from './operation.ts'
import { tagConditionKeys } from './tag-condition-keys.ts'
import { type KeyTarget, keyTarget, notFound } from './targets.ts'

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

export interface PromotionTarget extends KeyTarget {
  /** Of the same multi-Region key, in the region that is to be the primary one. */
  readonly replica: Key
}

/**
 * The primary key, and the replica that is to take its place. The policy of each allows that, in its own region: KMS API Reference,
 * "UpdatePrimaryRegion", "Required permissions".
 */
export const promotion: TargetKind<Input<'UpdatePrimaryRegion'>, PromotionTarget> = {
  find({ KeyId, PrimaryRegion: region }, search) {
    const primary = keyTarget(KeyId, { state: 'use', fits: key => checkPromotion(key, region) }, search)
    const key = search.storage.keys.find(primary.resources[0]!)
    const replica = key && search.storage.keys.related(key).find(other => other.region === region)
    const promoted = replica && keyTarget(replica.arn, { state: 'use' }, inRegion(region, search))
    return {
      get key() {
        return primary.key
      },
      get replica() {
        return promoted!.key
      },
      owner: primary.owner,
      permissions: [...primary.permissions, ...(promoted?.permissions ?? []).map(within(region))],
      resources: primary.resources,
      check() {
        primary.check()
        if (!promoted) throw notFound(keyArn({ account: primary.key.account, region }, primary.key.id))
        promoted.check()
      },
    }
  },
}

function checkPromotion(key: Key, region: string): void {
  checkPrimary(key)
  if (region === key.region)
    throw new Failure('UnsupportedOperation', `${key.arn} is the multi-region primary key already.`)
}

function inRegion(region: string, search: Search): Search {
  return { ...search, caller: { ...search.caller, region } }
}

function within(region: string): (permission: Permission) => Permission {
  return permission => {
    const ofKey = permission.conditionKeys
    return { ...permission, conditionKeys: name => (name === 'aws:requestedregion' ? [region] : ofKey?.(name)) }
  }
}
