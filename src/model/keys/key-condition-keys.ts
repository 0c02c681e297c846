import { type ConditionKeys, conditionValues } from '../condition-keys.ts'
import type { Caller } from '../identities/caller.ts'
import { serviceNames } from '../identities/service-names.ts'
import { type Alias, maximumAliases } from './alias.ts'
import { isMultiRegion, type Key } from './key.ts'
import { tagValues } from './tags.ts'

/** The condition keys of every operation on a key: KMS Developer Guide, "AWS KMS condition keys". */

interface KeyAsked {
  /** Absent if it belongs to another account, and does not exist. */
  readonly key: Key | undefined
  /** That owns the key. */
  readonly account: string
  /** By which the request names the key. */
  readonly alias: string | undefined
  readonly caller: Caller
  readonly storage: Aliases
}

interface Aliases {
  readonly aliases: { ofKey(keyArn: string): readonly Alias[] }
}

/** Their values, by the name of the key in lower case. */
export function keyConditions(asked: KeyAsked): (name: string) => readonly string[] | undefined {
  return name => conditionValues(keyConditionKeys, name, asked)
}

/** Of every caller. */
export const callerConditionKeys: ConditionKeys<{ readonly caller: Caller }> = {
  'kms:CallerAccount': ({ caller }) => caller.account || undefined,
  // With the region in its name: KMS Developer Guide, "kms:ViaService".
  'kms:ViaService': ({ caller: { via, region } }) => via && serviceNames(via.service, region).at(-1),
}

/** Whether a service calls, also on behalf of a caller. */
export const serviceConditionKeys: ConditionKeys<{ readonly caller: Caller }> = {
  'kms:GrantIsForAWSResource': ({ caller }) => caller.type === 'service' || caller.via !== undefined,
}

export const keyConditionKeys: ConditionKeys<KeyAsked> = {
  ...callerConditionKeys,
  'aws:ResourceAccount': ({ account }) => account,
  'aws:ResourceTag/': ({ key }, tagKey) => tagValues(key?.tags, tagKey),
  'kms:CustomerMasterKeySpec': ({ key }) => key?.spec,
  'kms:CustomerMasterKeyUsage': ({ key }) => key?.usage,
  'kms:KeyOrigin': ({ key }) => key?.origin,
  'kms:KeySpec': ({ key }) => key?.spec,
  'kms:KeyUsage': ({ key }) => key?.usage,
  'kms:MultiRegion': ({ key }) => key && isMultiRegion(key),
  'kms:MultiRegionKeyType': ({ key }) => key?.multiRegion,
  'kms:RequestAlias': ({ alias }) => alias,
  'kms:ResourceAliases': ({ key, alias, storage }) => key && aliasesOf(key, alias, storage),
}

/**
 * Of a key beyond the quota, a name that no alias has: without any, `ForAllValues` would match. That of a service's
 * key that is to be created is not stored yet.
 */
function aliasesOf({ arn, manager }: Key, named: string | undefined, storage: Aliases): readonly string[] {
  const aliases = storage.aliases.ofKey(arn)
  if (manager && aliases.length === 0 && named !== undefined) return [named]
  return aliases.length > maximumAliases ? [''] : aliases.map(({ name }) => name)
}
