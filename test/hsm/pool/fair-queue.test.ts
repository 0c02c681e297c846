import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FairQueue } from '../../../src/hsm/pool/fair-queue.ts'

function taken(queue: FairQueue<string>): string[] {
  const items: string[] = []
  for (let item = queue.take(); item !== undefined; item = queue.take()) items.push(item)
  return items
}

describe('a fair queue', () => {
  it('takes turns between callers, however many items one of them has', () => {
    const queue = new FairQueue<string>(100)
    for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) queue.add(item[0]!, item)
    expect(taken(queue)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
  })

  it('when full, drops the item of a caller who has most', () => {
    const queue = new FairQueue<string>(2)
    expect(queue.add('a', 'a1')).toBeUndefined()
    expect(queue.add('a', 'a2')).toBeUndefined()
    expect(queue.add('a', 'a3')).toBe('a3')
    expect(taken(queue)).toEqual(['a1', 'a2'])
  })

  it('when full, drops an item of the caller who has most for one who has less', () => {
    const queue = new FairQueue<string>(3)
    for (const item of ['a1', 'a2', 'a3']) queue.add('a', item)
    expect(queue.add('b', 'b1')).toBe('a3')
    expect(queue.add('b', 'b2')).toBe('b2')
    expect(taken(queue)).toEqual(['a1', 'b1', 'a2'])
  })

  it('never drops what is put back, and gives it first', () => {
    const queue = new FairQueue<string>(1)
    queue.add('a', 'a2')
    queue.putBack('a', 'a1')
    expect(queue.size).toBe(2)
    expect(taken(queue)).toEqual(['a1', 'a2'])
  })

  it('skips items that must not be taken yet', () => {
    const queue = new FairQueue<string>(10)
    for (const item of ['a1', 'a2', 'b1']) queue.add(item[0]!, item)
    expect(queue.take(item => item === 'a2')).toBe('a2')
    expect(queue.take(item => item === 'c1')).toBeUndefined()
    expect(taken(queue)).toEqual(['b1', 'a1'])
  })

  it('reports whether a removed item was present', () => {
    const queue = new FairQueue<string>(10)
    queue.add('a', 'a1')
    expect([queue.remove('a', 'a1'), queue.remove('a', 'a1'), queue.remove('b', 'b1')]).toEqual([true, false, false])
    expect(queue.size).toBe(0)
  })

  it('holds no more than its bound and loses nothing, whatever is added', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd')), fc.integer({ min: 1, max: 8 }), (callers, bound) => {
        const queue = new FairQueue<string>(bound)
        const items = callers.map((caller, i) => `${caller}${i}`)
        const dropped = items.map(item => queue.add(item[0]!, item)).filter(item => item !== undefined)
        expect(queue.size).toBeLessThanOrEqual(bound)
        expect([...dropped, ...taken(queue)].sort()).toEqual([...items].sort())
      }),
    )
  })
})
