import { Failure } from '../../errors.ts'
import { memberOf } from '../condition-keys.ts'
import type { Tag } from './key.ts'

/**
 * LocalStack's tag with the key material of a new key, in base64. It is never kept as a tag, nor put on record, as its value is a secret.
 */
export const keyMaterialTag = '_custom_key_material_'

/** Tags of a KMS key: KMS Developer Guide, "Resource quotas". */
const maximumTags = 50

/** Adds tags, or changes the values of existing ones; the order is kept. Throws InvalidTag. */
export function addTags(present: readonly Tag[], added: readonly Tag[]): readonly Tag[] {
  if (added.length > maximumTags) throw tooMany()
  const values = new Map(added.map(({ TagKey, TagValue }) => [TagKey, TagValue]))
  if (values.size < added.length) throw new Failure('InvalidTag', 'Duplicate tag keys')
  for (const tagKey of values.keys()) checkTagKey(tagKey)
  const tags = new Map([...present.map(({ TagKey, TagValue }) => [TagKey, TagValue] as const), ...values])
  if (tags.size > maximumTags) throw tooMany()
  return [...tags].map(([TagKey, TagValue]) => ({ TagKey, TagValue }))
}

export function withoutKeyMaterial(tags: readonly Tag[]): readonly Tag[] {
  return tags.filter(({ TagKey }) => TagKey !== keyMaterialTag)
}

/** Unknown tag names are ignored. */
export function removeTags(present: readonly Tag[], keys: readonly string[]): readonly Tag[] {
  for (const tagKey of keys) checkReserved(tagKey)
  const removed = new Set(keys)
  return present.filter(({ TagKey }) => !removed.has(TagKey))
}

/** Values of the tags with that key, as a member of a family of condition keys such as `aws:ResourceTag/`. */
export function tagValues(tags: readonly Tag[] | undefined, tagKey: string): readonly string[] | undefined {
  return memberOf(tags, pairsOf, tagKey)
}

function pairsOf(tags: readonly Tag[]) {
  return tags.map(({ TagKey, TagValue }) => [TagKey, TagValue] as const)
}

function tooMany(): Failure {
  return new Failure('InvalidTag', 'Too many tags')
}

function checkTagKey(tagKey: string): void {
  if (tagKey === keyMaterialTag) {
    throw new Failure(
      'InvalidTag',
      `The tag ${keyMaterialTag} is for key material, which is accepted in emulator mode only.`,
    )
  }
  checkReserved(tagKey)
}

function checkReserved(tagKey: string): void {
  if (/^aws:/i.test(tagKey)) throw new Failure('InvalidTag', 'Tags beginning with aws: are reserved')
}
