import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasRepeatedMember, parseJson } from '../../../src/apis/json/parse.ts'

const repeats = (text: string) => hasRepeatedMember(Buffer.from(text), parseJson(Buffer.from(text)))

describe('a member that occurs twice', () => {
  it.each(['{"a":1,"a":1}', '{"a":{"b":[{"c":1,"c":":"}]}}', '{"a":1,"\\u0061":2}', '{"__proto__":1,"__proto__":2}'])(
    'is found in %s',
    text => expect(repeats(text)).toBe(true),
  )

  it('is found in no JSON of a value', () => {
    fc.assert(fc.property(fc.json({ maxDepth: 5 }), text => !repeats(text)))
  })

  it('is looked for in deeply nested lists and objects', () => {
    expect(repeats('['.repeat(8000) + ']'.repeat(8000))).toBe(false)
    expect(repeats(`${'{"a":'.repeat(4000)}1${'}'.repeat(4000)}`)).toBe(false)
  })
})
