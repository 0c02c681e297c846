import type { Tag } from '../../model/key.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { key } from '../targets.ts'

export const listResourceTags = operation('ListResourceTags')({
  readOnly: true,
  target: key({ state: 'view' }),
  recorded: ['KeyId', 'Limit', 'Marker'],
  async run({ input, target: { key }, caller }) {
    const { records, ...rest } = await page<Tag>(
      input,
      { ordinary: 50, maximum: 50 },
      scopeOf('ListResourceTags', caller, key.id),
      tag => tag.TagKey,
      (after, limit) => {
        const start = key.tags.findIndex(({ TagKey }) => TagKey === after) + 1
        return key.tags.slice(start, start + limit)
      },
    )
    return { Tags: [...records], ...rest }
  },
})
