import { hash } from 'node:crypto'
import type { Tag } from '../../../model/keys/key.ts'
import { operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { key } from '../targets.ts'

export const listResourceTags = operation('ListResourceTags')({
  readOnly: true,
  target: key({ state: 'view' }),
  recorded: ['KeyId', 'Limit', 'Marker'],
  async run({ input, target: { key }, caller }) {
    const { records, ...rest } = await page<ListedTag>(
      input,
      { ordinary: 50, maximum: 50 },
      scopeOf('ListResourceTags', caller, key.id),
      ({ listed }) => listed,
      (listed = '', limit) => unlisted(key.tags, listed).slice(0, limit),
    )
    return { Tags: records.map(({ tag }) => tag), ...rest }
  },
})

interface ListedTag {
  readonly tag: Tag
  /** Digests of this tag's key and of all tag keys listed before. */
  readonly listed: string
}

const digestLength = 12

/** Tags are in order of creation, so if the last listed one was removed, only these digests tell where to continue. */
function unlisted(tags: readonly Tag[], listed: string): ListedTag[] {
  const before = new Set(listed.match(new RegExp(`.{${digestLength}}`, 'g')))
  let all = listed
  return tags
    .filter(({ TagKey }) => !before.has(digest(TagKey)))
    .map(tag => {
      all += digest(tag.TagKey)
      return { tag, listed: all }
    })
}

function digest(tagKey: string): string {
  return hash('sha256', tagKey, 'base64url').slice(0, digestLength)
}
