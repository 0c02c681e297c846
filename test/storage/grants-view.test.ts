import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { type Grant, type GrantOperation, grantOperations, isWithin } from '../../src/model/keys/grant.ts'
import { GrantsView } from '../../src/storage/grants-view.ts'
import type { GrantSearch } from '../../src/storage/storage.ts'
import { aGrant, aKey } from './records.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes in use after a full garbage collection. */
function heapUsed(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

const [equals, subset] = ['EncryptionContextEquals', 'EncryptionContextSubset'] as const

const context = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2', ''))
const constraints = fc.record({ [equals]: context, [subset]: context }, { requiredKeys: [] })
const operation = fc.constantFrom<GrantOperation[]>('Encrypt', 'Decrypt', 'CreateGrant', 'DescribeKey', 'RetireGrant')
const keyArn = fc.constantFrom(aKey(1).arn, aKey(2).arn)
const grantee = fc.constantFrom({ arn: 'alice' }, { arn: 'alice', uniqueId: 'A' }, { arn: 'alice', uniqueId: 'B' })

const grant = fc.record({
  id: fc.constantFrom(...'0123456789'),
  keyArn,
  grantee,
  operations: fc.array(operation, { minLength: 1, maxLength: 4 }),
  constraints: fc.option(constraints, { nil: undefined }),
  fingerprint: fc.option(fc.uuid(), { nil: undefined }),
})
const search: fc.Arbitrary<GrantSearch> = fc.record({ keyArn, grantee, operation, constraints })

/** All that fit: none is accepted before the last one has been offered. */
function allFound(view: GrantsView, search: GrantSearch): readonly Grant[] {
  const offered: Grant[] = []
  view.search({ ...search, accept: grant => offered.push(grant) === 0 })
  const first = view.search(search)
  expect(first).toBe(offered[0])
  return offered
}

describe('the grants in memory', () => {
  it('are found exactly if they fit, after any sequence of changes', () => {
    const step = fc.record({ action: fc.constantFrom('put', 'put', 'put', 'remove', 'removeKey'), grant })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.array(search, { maxLength: 20 }), (steps, searches) => {
        const view = new GrantsView()
        const kept = new Map<string, Grant>()
        for (const { action, grant } of steps) {
          const full = aGrant(0, aKey(1), grant)
          const identity = grant.keyArn + grant.id
          if (action === 'put') view.put(full)
          if (action === 'put') kept.set(identity, full)
          if (action === 'remove') view.remove(full)
          if (action === 'remove') kept.delete(identity)
          if (action !== 'removeKey') continue
          view.removeKey(grant.keyArn)
          for (const [identity, { keyArn }] of kept) if (keyArn === grant.keyArn) kept.delete(identity)
        }
        for (const search of searches) {
          const fits = [...kept.values()].filter(grant => fitsNaively(grant, search))
          expect(new Set(allFound(view, search))).toEqual(new Set(fits))
          expect(view.count(search.keyArn)).toBe([...kept.values()].filter(g => g.keyArn === search.keyArn).length)
        }
        for (const grant of kept.values()) {
          expect(view.find(grant.keyArn, grant.id)).toBe(grant)
          if (grant.fingerprint) expect(view.findByFingerprint(grant.keyArn, grant.fingerprint)).toBe(grant)
        }
      }),
      { numRuns: 2000 },
    )
  })

  function fitsNaively(grant: Grant, { keyArn, grantee, operation, constraints }: GrantSearch): boolean {
    const { arn, uniqueId } = grant.grantee
    if (grant.keyArn !== keyArn || arn !== grantee.arn || uniqueId !== grantee.uniqueId) return false
    if (!grant.operations.includes(operation)) return false
    return !grantOperations[operation].constrained || isWithin(constraints, grant.constraints)
  }

  it('are found whatever their constraints, among the first ones', () => {
    const view = new GrantsView()
    for (let n = 0; n < 3000; n++) {
      view.put(aGrant(n, aKey(1), { constraints: { [n % 2 ? equals : subset]: { n: `${n}`, m: '' } } }))
    }
    view.put(aGrant(3000, aKey(1), { operations: ['CreateGrant'], constraints: { [subset]: { o: '' } } }))
    const { grantee } = aGrant(0, aKey(1))
    const search = { keyArn: aKey(1).arn, grantee, constraints: undefined }
    expect(Number(view.search({ ...search, operation: 'Encrypt' })?.id)).toBe(0)
    const lookedAt = new Set<Grant>()
    view.search({ ...search, operation: 'Encrypt', accept: grant => lookedAt.add(grant).size === 0 })
    expect(lookedAt.size).toBeGreaterThan(400)
    expect(lookedAt.size).toBeLessThan(1000)
    expect(view.search({ ...search, operation: 'GenerateDataKey' })).toBeUndefined()
  })

  it('may have constraints that contradict each other, and so never fit', () => {
    const view = new GrantsView()
    const constraints = { [equals]: {}, [subset]: { a: '1' } }
    const [never, always] = [aGrant(1, aKey(1), { constraints }), aGrant(2, aKey(1))]
    const search: GrantSearch = { keyArn: aKey(1).arn, grantee: always.grantee, operation: 'Encrypt', constraints }
    for (const grant of [never, always]) view.put(grant)
    expect(allFound(view, search)).toEqual([always])
    for (const grant of [always, never]) view.remove(grant)
    expect(view.count(aKey(1).arn)).toBe(0)
  })

  it('leave nothing behind, so that a key may have any number of them one after another', () => {
    const view = new GrantsView()
    const cycle = (n: number) => {
      const constraints = { [n % 2 ? equals : subset]: { volume: `${n}`.padEnd(500), zone: '' } }
      const grantee = { arn: n % 3 ? 'service' : `service-${n}` }
      const grant = aGrant(n, aKey(1), { grantee, constraints, fingerprint: `${n}`.padEnd(500) })
      view.put(grant)
      view.put({ ...grant })
      view.remove(grant)
    }
    view.put(aGrant(0, aKey(1), { grantee: { arn: 'service' } }))
    for (let n = 1; n < 1000; n++) cycle(n)
    const before = heapUsed()
    for (let n = 1000; n < 20_000; n++) cycle(n)
    expect(heapUsed() - before).toBeLessThan(3_000_000)
    expect(view.count(aKey(1).arn)).toBe(1)
  })

  const long = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`pair-${n}`, '']))
  // Causality, not time: how often something of a grant is read, and something looked up in a map.
  it.each<[string, (number: number) => Partial<Grant>]>([
    ['other values', n => ({ constraints: { [subset]: { tenant: `${n}` } } })],
    ['other keys', n => ({ constraints: { [subset]: { [`tenant-${n}`]: '0' } } })],
    ['other equal contexts', n => ({ constraints: { [equals]: { tenant: '0', volume: `${n}` } } })],
    ['the same first pair', n => ({ constraints: { [subset]: { app: '0', tenant: `${n}` } } })],
    ['a long encryption context', n => ({ constraints: { [subset]: { many: `${n}`, 'pair-1': '' } } })],
    ['other operations', n => ({ operations: n === 0 ? ['Encrypt'] : ['Decrypt', 'DescribeKey'] })],
    ['another id of the principal', n => ({ grantee: { arn: 'alice', uniqueId: `AIDA${n}` } })],
    ['other grantees', n => ({ grantee: { arn: `user-${n}`, uniqueId: 'AIDA0' } })],
  ])('that do not fit are not looked at: %s', (what, rest) => {
    const view = new GrantsView()
    let looks = 0
    const get = (grant: Grant, member: string | symbol) => {
      looks++
      return Reflect.get(grant, member) as unknown
    }
    const common = { grantee: { arn: 'user-0', uniqueId: 'AIDA0' }, operations: ['Encrypt'] } as const
    for (let n = 0; n < 10_000; n++) view.put(new Proxy(aGrant(n, aKey(1), { ...common, ...rest(n) }), { get }))
    const lookUps = vi.spyOn(Map.prototype, 'get')
    looks = 0
    for (const arn of ['user-0', 'alice']) {
      const constraints = {
        [equals]: what.includes('long') ? long : { app: '0', tenant: '0', volume: '0', 'tenant-0': '0' },
      }
      const grantee = { arn, uniqueId: 'AIDA0' }
      view.search({ keyArn: aKey(1).arn, grantee, operation: 'Encrypt', constraints, accept: ({ id }) => id === '' })
    }
    expect(lookUps.mock.calls.length).toBeLessThan(30)
    lookUps.mockRestore()
    // The operations of one that fits, and its id.
    expect(looks).toBeLessThanOrEqual(2)
  })
})
