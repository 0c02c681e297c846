import type { Tag } from '../../../model/keys/key.ts'
import { addTags } from '../../../model/keys/tags.ts'
import { operation } from '../operation.ts'
import { tagConditionKeys } from '../tag-condition-keys.ts'
import { key } from '../targets.ts'

export const tagResource = operation('TagResource')({
  readOnly: false,
  target: key({ state: 'modify' }),
  conditionKeys: tagConditionKeys,
  recorded: ['KeyId', 'Tags'],
  async run({ input, target: { key }, changes }) {
    changes.put('keys', { ...key, tags: addTags(key.tags, input.Tags as Tag[]) })
  },
})
