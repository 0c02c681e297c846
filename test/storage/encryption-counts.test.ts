import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type EncryptionCount, EncryptionCounts } from '../../src/storage/encryption-counts.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import type { SqlDatabase } from '../../src/storage/sql-database.ts'
import { openStorage } from '../../src/storage/sql-storage.ts'
import { Changes, type Storage } from '../../src/storage/storage.ts'
import { runs } from '../thorough.ts'
import { aKey, aMaterial, aSystemKey } from './records.ts'

const slack = 4

describe('the count of encryptions under a key material', () => {
  /** Counts whose writes a test ends itself. */
  function counting(stored: Record<string, number> = {}) {
    const totals = new Map(Object.entries(stored))
    const writes: { counts: readonly EncryptionCount[]; end(error?: Error): void }[] = []
    const counts = new EncryptionCounts({
      written: new Map(Object.entries(stored)),
      slack,
      store(counts) {
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        writes.push({ counts, end: error => (error ? reject(error) : resolve()) })
        return promise.then(() => {
          for (const { material, count } of counts) totals.set(material, (totals.get(material) ?? 0) + count)
          return { counts: [...totals].map(([material, count]) => ({ material, count })), others: 0 }
        })
      },
    })
    return { counts, writes }
  }
  const settled = () => new Promise(resolve => setImmediate(resolve))

  it('takes no write for the first half of the slack, and one for the next', async () => {
    const { counts, writes } = counting({ m: 7 })
    for (let i = 0; i < 4; i++) expect(counts.count('m')).toBeUndefined()
    expect(counts.made('m')).toBe(11)
    await settled()
    expect(writes.map(({ counts }) => counts)).toEqual([[{ material: 'm', count: 4 }]])
  })

  it('keeps an encryption beyond the slack until the write is done, and the others not', async () => {
    const { counts, writes } = counting()
    for (let i = 0; i < slack; i++) counts.count('m')
    let done = 0
    const waiting = [1, 2].map(() => counts.count('m')!.then(() => done++))
    expect(counts.count('other')).toBeUndefined()
    await settled()
    expect(done).toBe(0)
    writes[0]!.end()
    await Promise.all(waiting)
    expect(counts.made('m')).toBe(slack + 2)
  })

  it('refuses an encryption beyond the slack if the write fails, until one succeeds', async () => {
    const { counts, writes } = counting()
    for (let i = 0; i < slack; i++) counts.count('m')
    for (let attempt = 0; attempt < 3; attempt++) {
      const refused = counts.count('m')!
      await settled()
      for (const { end } of writes) end(new Error('the disk is full'))
      await expect(refused).rejects.toThrow('the disk is full')
      expect(counts.made('m')).toBe(slack)
    }
    const accepted = counts.count('m')!
    await settled()
    for (const { end } of writes) end()
    await accepted
    expect(counts.made('m')).toBe(slack + 1)
  })
})

describe('the stored count of encryptions', () => {
  const first = aMaterial(1)
  const key = aKey(1, { materials: [first] })
  const seal = aSystemKey('seal', aMaterial(2))
  const materials = [first.id, seal.material.id]

  /** A database that outlives the storage over it, and whose writes fail when a test says so. */
  class LastingDatabase {
    failing = false
    readonly #database: SqlDatabase

    constructor(database: SqlDatabase) {
      this.#database = database
    }

    open(gateway = 'gateway'): Promise<Storage> {
      const failing = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
        return async (...args: A): Promise<R> => {
          if (this.failing) throw new Error('the disk is full')
          return call.apply(this.#database, args)
        }
      }
      const { addEncryptionCounts, endTracking } = this.#database
      const database = Object.create(this.#database, {
        addEncryptionCounts: { value: failing(addEncryptionCounts) },
        endTracking: { value: failing(endTracking) },
        close: { value: async () => {} },
      }) as SqlDatabase
      return openStorage(withOwnMethods(database, this.#database), { now: 0, gateway, encryptionSlack: slack })
    }
  }

  /** Private members are found on the object itself only. */
  function withOwnMethods(database: SqlDatabase, target: SqlDatabase): SqlDatabase {
    return new Proxy(database, {
      get(object, name) {
        if (Object.hasOwn(object, name)) return Reflect.get(object, name) as unknown
        const member = Reflect.get(target, name) as unknown
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
  }

  type Step = { do: 'encrypt'; material: number; times: number } | { do: 'write' | 'crash' | 'stop' | 'fail' | 'mend' }
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('encrypt' as const),
        material: fc.nat(1),
        times: fc.integer({ min: 1, max: 3 * slack }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('write', 'crash', 'stop', 'fail', 'mend') }) },
  )

  it('is never below the truth, whatever crashes and fails, and exact without a crash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
        const inner = await openDatabase(sqlite(':memory:', { create: true }))
        const database = new LastingDatabase(inner)
        let storage = await database.open()
        const changes = new Changes()
        changes.put('keys', key)
        changes.put('systemKeys', seal)
        await storage.commit(changes)
        const truth = [0, 0]
        let crashes = 0
        const check = () => {
          for (const [i, id] of materials.entries()) {
            const made = storage.encryptions.made(id)
            expect(made).toBeGreaterThanOrEqual(truth[i]!)
            expect(made).toBeLessThanOrEqual(truth[i]! + crashes * slack)
          }
        }
        for (const { do: action, ...encryption } of steps) {
          if (action === 'encrypt' && 'material' in encryption) {
            for (let i = 0; i < encryption.times; i++) {
              const waiting = storage.encryptions.count(materials[encryption.material]!)
              const isMade = await (waiting ?? Promise.resolve()).then(
                () => true,
                () => false,
              )
              if (isMade) truth[encryption.material]!++
            }
          } else if (action === 'write') await storage.writeUses().catch(() => {})
          else if (action === 'fail' || action === 'mend') database.failing = action === 'fail'
          else {
            if (action === 'stop') await storage.close()
            if (action === 'crash' || database.failing) crashes++
            // A write in progress ends before the next process reads.
            await new Promise(resolve => setImmediate(resolve))
            storage = await database.open()
          }
          check()
        }
        database.failing = false
        await storage.close()
        storage = await database.open()
        check()
        await storage.close()
        await inner.close()
      }),
      { numRuns: runs(40) },
    )
  })

  type Turn = { gateway: number; do: 'encrypt' | 'write' | 'crash' | 'stop'; times: number }
  const turn: fc.Arbitrary<Turn> = fc.record({
    gateway: fc.nat(2),
    do: fc.oneof(
      { weight: 4, arbitrary: fc.constant('encrypt' as const) },
      { weight: 2, arbitrary: fc.constantFrom('write', 'crash', 'stop') },
    ),
    times: fc.integer({ min: 1, max: 3 * slack }),
  })

  it('is never exceeded by what three gateways make until it is as high as a limit, whichever of them crash', async () => {
    const limit = 150
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { maxLength: 60 }), async turns => {
        const inner = await openDatabase(sqlite(':memory:', { create: true, fleet: true }))
        const database = new LastingDatabase(inner)
        const gateways = await Promise.all([0, 1, 2].map(number => database.open(`gateway-${number}`)))
        const changes = new Changes()
        changes.put('keys', key)
        await gateways[0]!.commit(changes)
        let truth = 0
        for (const { gateway, do: action, times } of turns) {
          const storage = gateways[gateway]!
          if (action === 'write') await storage.writeUses()
          if (action === 'stop') await storage.close()
          if (action === 'crash' || action === 'stop') gateways[gateway] = await database.open(`gateway-${gateway}`)
          for (let i = 0; action === 'encrypt' && i < times; i++) {
            if (storage.encryptions.made(first.id) >= limit) break
            await storage.encryptions.count(first.id)
            truth++
          }
          expect(truth).toBeLessThanOrEqual(limit)
        }
        // What each wrote last is known to whoever starts now.
        for (const storage of gateways) await storage.close()
        const last = await database.open('gateway-0')
        expect(last.encryptions.made(first.id)).toBeGreaterThanOrEqual(truth)
        await last.close()
        await inner.close()
      }),
      { numRuns: runs(40) },
    )
  })
})
