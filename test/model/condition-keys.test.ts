import { describe, expect, it } from 'vitest'
import { type ConditionKeys, conditionValues, memberOf } from '../../src/model/condition-keys.ts'

describe('the values of a condition key', () => {
  const pairs = { Stage: 'Prod', stage: 'Test', 'aws:logs:arn': 'arn', '': 'empty', '\u212aey': 'Kelvin' }
  const keys: ConditionKeys<{ readonly count: number }> = {
    'test:Count': ({ count }) => count,
    'test:Big': ({ count }) => count > 1000,
    'test:None': () => undefined,
    'test:Names': ({ count }) => (count > 0 ? ['a', 'b'] : []),
    'test:Context:': (_, rest) => memberOf(pairs, Object.entries, rest),
    'test:Tag/': (_, rest) => rest,
  }
  const values = (name: string, count = 7) => conditionValues(keys, name, { count })

  it.each([
    ['test:count', ['7']],
    ['test:big', ['false']],
    ['test:none', undefined],
    ['test:names', ['a', 'b']],
    ['test:tag/a/b:c', ['a/b:c']],
    ['test:context:stage', ['Prod', 'Test']],
    ['test:context:aws:logs:arn', ['arn']],
    ['test:context:', ['empty']],
    ['test:context', undefined],
    ['test:context:missing', undefined],
    ['test:context:key', undefined],
    ['test:context:\u212aey', ['Kelvin']],
    ['test:context:__proto__', undefined],
    ['test:Count', undefined],
    ['constructor', undefined],
    ['__proto__', undefined],
    ['', undefined],
  ])('of %s are %j', (name, expected) => {
    expect(values(name)).toEqual(expected)
  })

  it('are absent rather than empty', () => {
    expect(values('test:names', 0)).toBeUndefined()
  })

  it('are computed only when asked for', () => {
    const asked: string[] = []
    const noted: ConditionKeys<undefined> = {
      'test:A': () => void asked.push('A'),
      'test:B': () => void asked.push('B'),
    }
    conditionValues(noted, 'test:b', undefined)
    expect(asked).toEqual(['B'])
  })
})
