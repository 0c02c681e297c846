import type { Tag } from '../../../model/keys/key.ts'
import { addTags, withoutKeyMaterial } from '../../../model/keys/tags.ts'
import { operation } from '../operation.ts'
import { tagConditionKeys } from '../tag-condition-keys.ts'
import { key } from '../targets.ts'

export const tagResource = operation('TagResource')({
  readOnly: false,
  target: key({ state: 'modify' }),
  conditionKeys: tagConditionKeys,
  recorded: ['KeyId', 'Tags'],
  async run({ input, target: { key }, changes, emulator }) {
    const tags = input.Tags as Tag[]
    // As LocalStack does: a key has its material for good.
    changes.put('keys', { ...key, tags: addTags(key.tags, emulator ? withoutKeyMaterial(tags) : tags) })
  },
})
