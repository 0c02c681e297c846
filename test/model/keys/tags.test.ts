import { describe, expect, it } from 'vitest'
import { addTags, removeTags } from '../../../src/model/keys/tags.ts'

const tag = (TagKey: string, TagValue = '') => ({ TagKey, TagValue })
const many = (count: number) => Array.from({ length: count }, (_, i) => tag(`k${i}`))

describe('tags', () => {
  it('change in place and keep the order of the others', () => {
    const tags = addTags([tag('a', '1'), tag('b', '2')], [tag('c', '3'), tag('a', '4')])
    expect(tags).toEqual([tag('a', '4'), tag('b', '2'), tag('c', '3')])
  })

  it('are removed by name only', () => {
    expect(removeTags([tag('a'), tag('b')], ['b', 'x'])).toEqual([tag('a')])
  })

  it('are case-sensitive', () => {
    expect(addTags([tag('a')], [tag('A')])).toHaveLength(2)
  })

  it.each([
    ['the same key twice', [tag('a'), tag('a')], 'Duplicate tag keys'],
    ['more than fifty', many(51), 'Too many tags'],
    ['a reserved key', [tag('aws:x')], 'Tags beginning with aws: are reserved'],
    [
      'key material',
      [tag('_custom_key_material_', 'AAAA')],
      'The tag _custom_key_material_ is for key material, which is accepted in emulator mode only.',
    ],
    ['a reserved key in capitals', [tag('AWS:x')], 'Tags beginning with aws: are reserved'],
  ])('are refused with %s', (_title, added, message) => {
    expect(() => addTags([], added)).toThrow(expect.objectContaining({ code: 'InvalidTag', message }))
  })

  it('may be fifty in total', () => {
    expect(addTags(many(49), [tag('x')])).toHaveLength(50)
    expect(() => addTags(many(50), [tag('x')])).toThrow('Too many tags')
  })
})
