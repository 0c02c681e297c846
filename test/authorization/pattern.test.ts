import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyCharacters, oneCharacter } from '../../src/authorization/automaton.ts'
import { compilePattern, compilePatterns, piecesOf } from '../../src/authorization/pattern.ts'
import { arnTemplate, compileTemplates, parseTemplate } from '../../src/authorization/variables.ts'

const matches = (pattern: string, text: string) => compilePattern(piecesOf(pattern))(text)

describe('a pattern', () => {
  it('agrees with a regular expression of the same meaning', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '.'), maxLength: 12 })
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 })
    const escaped = (c: string) => (c === '*' ? '.*' : c === '?' ? '.' : c.replace(/[.]/, '\\.'))
    fc.assert(
      fc.property(letters, text, (pattern, value) => {
        const expression = new RegExp(`^${[...pattern].map(escaped).join('')}$`)
        expect(matches(pattern, value)).toBe(expression.test(value))
      }),
      { numRuns: 2000 },
    )
  })

  it('is found among many others', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 12 })
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 })
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 60 }), text, (patterns, value) => {
        const expected = patterns.some(pattern => matches(pattern, value))
        expect(compilePatterns(patterns.map(piecesOf))(value)).toBe(expected)
      }),
    )
  })

  // biome-ignore format: a table
  it.each([
    ['kms:Encrypt', 'kms:Encrypt',  true],
    ['kms:Encrypt', 'kms:Encrypt2', false],
    ['kms:*',       'kms:',         true],
    ['*',           '',             true],
    ['?',           '',             false],
    ['*?',          '',             false],
    ['*?',          'a',            true],
    ['a*a',         'a',            false],
    ['a*a',         'aa',           true],
    ['*ab?*ba',     'abba',         false],
    ['*ab?*ba',     'abcba',        true],
    ['',            '',             true],
    ['',            'a',            false],
    ['[a-z]',       'a',            false],
    ['a.c',         'abc',          false],
    ['(a+)+$',      'aaaa',         false],
  ])('%s against %s: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected)
  })

  it('takes literal pieces literally, whatever characters they have', () => {
    const pattern = compilePattern(['a*', anyCharacters, '?', oneCharacter])
    expect(pattern('a*xyz?!')).toBe(true)
    expect(pattern('abcxyz?!')).toBe(false)
    expect(pattern('a*xyz!!')).toBe(false)
  })

  it('of an ARN matches part by part', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 3 })
    const patterns = fc.array(part, { minLength: 6, maxLength: 6 })
    const text = fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 2 }), { minLength: 5, maxLength: 8 })
    fc.assert(
      fc.property(patterns, text, (parts, values) => {
        const [first, rest] = [values.slice(0, 5), values.slice(5).join(':')]
        const expected = values.length > 5 && [...first, rest].every((value, i) => matches(parts[i]!, value))
        const template = arnTemplate(parseTemplate(parts.join(':'), { version: '2012-10-17', wildcards: true }))!
        expect(compileTemplates([template])(() => undefined)(values.join(':'))).toBe(expected)
      }),
      { numRuns: 2000 },
    )
  })

  it('is the same in one word and in several', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'é', '\u0141', '*', '?', ':'), maxLength: 12 })
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '\u0141', ':'), maxLength: 40 })
    fc.assert(
      fc.property(letters, text, (pattern, value) => {
        // The long literal before makes it start at any bit of a word.
        const among = [['x'.repeat(pattern.length + 25), anyCharacters, 'x'], piecesOf(`?*${pattern}`)] as const
        expect(compilePatterns(among)(`y${value}`)).toBe(compilePattern(piecesOf(`?*${pattern}`))(`y${value}`))
      }),
      { numRuns: 2000 },
    )
  })
})
