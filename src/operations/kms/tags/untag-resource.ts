import { removeTags } from '../../../model/keys/tags.ts'
import { operation } from '../operation.ts'
import { key } from '../targets.ts'

export const untagResource = operation('UntagResource')({
  readOnly: false,
  target: key({ state: 'modify' }),
  conditionKeys: { 'aws:TagKeys': ({ input }) => input.TagKeys },
  recorded: ['KeyId', 'TagKeys'],
  async run({ input, target: { key }, changes }) {
    changes.put('keys', { ...key, tags: removeTags(key.tags, input.TagKeys) })
  },
})
