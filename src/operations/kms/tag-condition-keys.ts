import type { Tag } from '@aws-sdk/client-kms'
import type { ConditionKeys } from '../../model/condition-keys.ts'
import type { Tag as KeyTag } from '../../model/keys/key.ts'
import { tagValues, withoutKeyMaterial } from '../../model/keys/tags.ts'

interface Tagging {
  readonly input: { readonly Tags?: readonly Tag[] | undefined }
}

/** Of operations that add tags: IAM User Guide, "AWS global condition context keys". */
export const tagConditionKeys: ConditionKeys<Tagging> = {
  'aws:RequestTag/': ({ input }, tagKey) => tagValues(tagsOf(input), tagKey),
  'aws:TagKeys': ({ input }) => tagsOf(input)?.map(({ TagKey }) => TagKey),
}

function tagsOf({ Tags }: Tagging['input']): readonly KeyTag[] | undefined {
  return Tags && withoutKeyMaterial(Tags as readonly KeyTag[])
}
