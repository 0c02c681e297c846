import { describe, expect, it } from 'vitest'
import { maximumFormerKeys, pointedAt } from '../../../src/model/keys/alias.ts'
import { aKey, anAlias } from '../../storage/records.ts'

describe('an alias', () => {
  const alias = anAlias('one', aKey(0))
  const arnOf = (number: number) => aKey(number).arn
  const moved = (...numbers: readonly number[]) =>
    numbers.reduce((pointed, number, time) => pointedAt(pointed, arnOf(number), time), alias)

  it.each<[string, readonly number[], readonly [number, number][]]>([
    ['a key it never left', [0], []],
    [
      'one key after another',
      [1, 2],
      [
        [0, 0],
        [1, 1],
      ],
    ],
    ['a former key again', [1, 0], [[1, 1]]],
    ['two keys in turn', [1, 0, 1, 0, 1], [[0, 4]]],
    ['its present key twice', [1, 1], [[0, 0]]],
  ])('remembers each key that it named before, once and latest last, if pointed at %s', (_, numbers, former) => {
    const { targetKeyArn, formerKeys = [], lastUpdatedDate } = moved(...numbers)
    expect(targetKeyArn).toBe(arnOf(numbers.at(-1)!))
    expect(lastUpdatedDate).toBe(numbers.length - 1)
    expect(formerKeys).toEqual(former.map(([number, until]) => ({ keyArn: arnOf(number), until })))
  })

  it('forgets the oldest when it has had very many', () => {
    const numbers = Array.from({ length: maximumFormerKeys + 5 }, (_, index) => index + 1)
    const { formerKeys = [] } = moved(...numbers)
    expect(formerKeys).toHaveLength(maximumFormerKeys)
    expect(formerKeys.at(-1)!.keyArn).toBe(arnOf(numbers.at(-2)!))
  })

  it('has no successor in waiting once it is pointed at another key', () => {
    const waiting = { ...alias, successorKeyArn: arnOf(1) }
    expect(pointedAt(waiting, arnOf(0), 1).successorKeyArn).toBe(arnOf(1))
    for (const number of [1, 2]) expect(pointedAt(waiting, arnOf(number), 1).successorKeyArn).toBeUndefined()
  })
})
