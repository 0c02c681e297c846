import { beforeEach, describe, expect, it } from 'vitest'
import { Leases } from '../../../src/storage/fleet/leases.ts'
import type { Member } from '../../../src/storage/storage.ts'

let now = 0
let leases: Leases
beforeEach(() => {
  now = 500
  leases = new Leases(() => now)
})

const member = (facts: Partial<Member> = {}): Member => ({
  gateway: 'b',
  run: 'r',
  applied: 0,
  changesBehind: 0,
  behindFor: 0,
  joinedAt: 0,
  holdsLease: true,
  lease: 1000,
  renewal: 1,
  leaseUntil: 9000,
  leaseLeft: 0,
  runsJobs: false,
  state: '{}',
  ...facts,
})

describe('a lease of another gateway', () => {
  it('ends its length, and 2 %, after it was first seen, however often it is seen', () => {
    expect(leases.note([member()])).toMatchObject([{ until: 1520 }])
    now = 1519
    leases.note([member({ applied: 7 })])
    expect(leases.ended).toEqual([])
    now = 1520
    leases.note([member({ applied: 7 })])
    expect(leases.ended).toMatchObject([{ gateway: 'b', applied: 7 }])
  })

  it.each<[string, Partial<Member>]>([
    ['a renewal', { renewal: 2 }],
    ['a renewal by a former version', { leaseUntil: 9001 }],
    ['another run', { run: 's' }],
  ])('begins anew with %s', (_, facts) => {
    leases.note([member()])
    now = 1519
    leases.note([member(facts)])
    now = 2538
    expect(leases.ended).toEqual([])
    now = 2539
    expect(leases.ended).toHaveLength(1)
  })

  it('that it has given back, and got again, begins anew', () => {
    leases.note([member()])
    now = 1519
    expect(leases.note([member({ holdsLease: false })])).toEqual([])
    leases.note([member({ renewal: 2 })])
    now = 1521
    expect(leases.ended).toEqual([])
  })
})
