/** Gateways on one database, in one process: what each shows, and when each may answer. */
import { mkdtempDisposableSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { type RawBuilder, sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Engine } from '../../../src/storage/engines/engine.ts'
import { sqlite } from '../../../src/storage/engines/sqlite.ts'
import { openDatabase } from '../../../src/storage/kysely-database.ts'
import type { SqlDatabase } from '../../../src/storage/sql-database.ts'
import { openStorage } from '../../../src/storage/sql-storage.ts'
import { Changes, Conflict, type Storage } from '../../../src/storage/storage.ts'
import { postgresql } from '../../postgresql.ts'
import { engineOf } from '../open.ts'
import { account, aGrant, aKey, anAlias, region } from '../records.ts'

/** One gateway's way to the database. */
class Path {
  readonly database: SqlDatabase
  isCut = false
  isCutFor: keyof SqlDatabase | undefined
  /** How often the members were read. */
  readings = 0

  #database: SqlDatabase

  constructor(shared: SqlDatabase) {
    this.#database = shared
    const answer = (method: PropertyKey) => {
      return (...args: unknown[]) => {
        if (this.isCut || method === this.isCutFor) return Promise.reject(new Error('the database is away'))
        if (method === 'members') this.readings++
        return (this.#database[method as keyof SqlDatabase] as (...args: unknown[]) => Promise<unknown>)(...args)
      }
    }
    this.database = new Proxy(shared, {
      get: (_, method) => {
        if (method === 'watch' || method === 'close') return async () => {}
        return answer(method)
      },
    })
  }

  replaceBy(database: SqlDatabase): void {
    this.#database = database
  }
}

interface Gateway {
  readonly path: Path
  readonly storage: Storage
  readonly reloads: unknown[][]
  /** Milliseconds by which its clocks are moved. */
  readonly moved: { clock: number; elapsed: number }
}

const lease = 1000
const request = { position: { number: 0, eventId: undefined }, milliseconds: lease, renewal: 1, state: '{}' }
let shared: SqlDatabase
let gateways: Gateway[] = []

beforeEach(async () => {
  shared = await openDatabase(sqlite(':memory:', { create: true, fleet: true }))
})
afterEach(async () => {
  for (const { path, storage } of gateways) {
    path.isCut = false
    await storage.close()
  }
  gateways = []
  await shared.close()
})

async function open(
  gateway: string,
  { run = gateway, isOver, database = shared }: { run?: string; isOver?: () => boolean; database?: SqlDatabase } = {},
): Promise<Gateway> {
  const path = new Path(database)
  const moved = { clock: 0, elapsed: 0 }
  const fleet = {
    run,
    lease,
    clock: () => Date.now() + moved.clock,
    elapsed: () => performance.now() + moved.elapsed,
    state: () => '{}',
    ...(isOver && { isOver }),
  }
  const reloads: unknown[][] = []
  const onReload = (...told: unknown[]) => void reloads.push(told)
  const storage = await openStorage(path.database, { now: 0, gateway, fleet, onReload })
  const opened = { path, moved, storage, reloads }
  gateways.push(opened)
  return opened
}

function put(storage: Storage, ...records: ReturnType<typeof aKey>[]): Promise<unknown> {
  const changes = new Changes()
  for (const record of records) changes.put('keys', record)
  return storage.commit(changes)
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await sleep(5)
}

describe('gateways on one database', () => {
  it('show what the others commit, without any message', async () => {
    const [a, b] = [await open('a'), await open('b')]
    const key = aKey(1)
    await put(a.storage, key)
    expect(a.storage.keys.find(key.arn)).toBeDefined()
    await until(() => b.storage.keys.find(key.arn) !== undefined)
    await put(b.storage, { ...b.storage.keys.find(key.arn)!, state: 'Disabled' })
    await until(() => a.storage.keys.find(key.arn)?.state === 'Disabled')
    const changes = new Changes()
    changes.put('grants', aGrant(1, key))
    changes.put('aliases', anAlias('one', key))
    await a.storage.commit(changes)
    await until(() => b.storage.grants.count(key.arn) === 1 && b.storage.aliases.ofKey(key.arn).length === 1)
    const removed = new Changes()
    removed.remove('aliases', b.storage.aliases.ofKey(key.arn)[0]!)
    removed.remove('keys', b.storage.keys.find(key.arn)!)
    await b.storage.commit(removed)
    await until(() => a.storage.keys.find(key.arn) === undefined)
    expect(a.storage.grants.count(key.arn)).toBe(0)
    expect(a.storage.aliases.ofKey(key.arn)).toEqual([])
  })

  it('show their own commit at once, and before it those of others', async () => {
    const [a, b] = [await open('a'), await open('b')]
    await Promise.all([1, 2, 3].map(number => put(b.storage, aKey(number))))
    await put(a.storage, aKey(4))
    expect([1, 2, 3, 4].map(number => a.storage.keys.find(aKey(number).arn)?.id)).not.toContain(undefined)
    const listed = await b.storage.keys.list({ account, region, limit: 10 })
    expect(listed.map(({ id }) => id)).toEqual([1, 2, 3, 4].map(number => aKey(number).id))
  })

  it('let no change pass that was decided by what another has changed', async () => {
    const [a, b] = [await open('a'), await open('b')]
    const key = aKey(1)
    await put(a.storage, key)
    await until(() => b.storage.keys.find(key.arn) !== undefined)
    const changes = new Changes()
    changes.basis = { number: b.storage.fleet.applied, scopes: [key.arn] }
    changes.put('grants', aGrant(1, key))
    await put(a.storage, { ...a.storage.keys.find(key.arn)!, state: 'PendingDeletion' })
    await expect(b.storage.commit(changes)).rejects.toThrow(Conflict)
    // Decided again, it sees why.
    expect(b.storage.keys.find(key.arn)?.state).toBe('PendingDeletion')
  })
})

describe('an answer', () => {
  it('waits until every other gateway shows what it could show, and only that', async () => {
    const [a, b] = [await open('a'), await open('b')]
    const [key, other] = [aKey(1), aKey(2)]
    await put(a.storage, key, other)
    await a.storage.fleet.settled()
    expect(b.storage.keys.find(key.arn)).toBeDefined()
    b.path.isCut = true
    await put(a.storage, { ...a.storage.keys.find(key.arn)!, state: 'Disabled' })
    expect(a.storage.fleet.settled([other.arn])).toBeUndefined()
    let settled = false
    const waiting = a.storage.fleet.settled([key.arn])!.then(() => {
      settled = true
    })
    await sleep(200)
    expect(settled).toBe(false)
    expect(b.storage.keys.find(key.arn)?.state).toBe('Enabled')
    b.path.isCut = false
    await waiting
    expect(b.storage.keys.find(key.arn)?.state).toBe('Disabled')
    expect(a.storage.fleet.settled()).toBeUndefined()
  })

  it('waits for a gateway that is cut off until that may not serve any more', async () => {
    const [a, b] = [await open('a'), await open('b')]
    b.path.isCut = true
    await put(a.storage, aKey(1))
    expect(b.storage.fleet.mayServe).toBe(true)
    await a.storage.fleet.settled([aKey(1).arn])
    expect(b.storage.fleet.mayServe).toBe(false)
    b.path.isCut = false
    await until(() => b.storage.fleet.mayServe)
    expect(b.storage.keys.find(aKey(1).arn)).toBeDefined()
  })

  it('waits no longer than its caller, even if the database does not answer', async () => {
    const [a, b] = [await open('a'), await open('b')]
    b.path.isCut = true
    await put(a.storage, aKey(1))
    a.path.isCut = true
    expect(await a.storage.fleet.settled(undefined, performance.now() + 20)).toBe(false)
    b.path.isCut = false
    a.path.isCut = false
    expect(await a.storage.fleet.settled(undefined, performance.now() + 60_000)).not.toBe(false)
  })

  it('waits for a commit after which the database could not be asked what came before it', async () => {
    const [a, b] = [await open('a'), await open('b')]
    const key = aKey(1)
    await put(a.storage, key)
    await a.storage.fleet.settled()
    a.path.isCutFor = 'changesAfter'
    await put(b.storage, aKey(2))
    b.path.isCut = true
    await put(a.storage, { ...a.storage.keys.find(key.arn)!, state: 'Disabled' })
    expect(a.storage.keys.find(key.arn)?.state).toBe('Disabled')
    await a.storage.fleet.settled([key.arn])
    expect(b.storage.fleet.mayServe).toBe(false)
  })

  it('waits for the end of the leases that it has read of if the database goes away then', async () => {
    const [a, b] = [await open('a'), await open('b')]
    b.path.isCut = true
    await put(a.storage, aKey(1))
    const { readings } = a.path
    await until(() => a.path.readings > readings + 1)
    a.path.isCut = true
    expect(await a.storage.fleet.settled([aKey(1).arn])).toBe(true)
    expect(b.storage.fleet.mayServe).toBe(false)
  })

  it('is a failure if the database goes away before it is known who has a lease', async () => {
    const [a] = [await open('a'), await open('b')]
    await a.storage.fleet.settled()
    a.path.isCutFor = 'members'
    await put(a.storage, aKey(1))
    expect(await a.storage.fleet.settled([aKey(1).arn])).toBe(false)
    a.path.isCutFor = undefined
    await until(() => a.storage.fleet.settled() === undefined)
  })
})

describe('a database that has gone back in time', () => {
  it('is loaded again, and what it has lost is told; meanwhile the gateway does not serve', async () => {
    const { path, storage, reloads } = await open('a')
    const key = aKey(1)
    await put(storage, key)
    await storage.fleet.settled()
    const changes = new Changes()
    changes.put('keys', { ...storage.keys.find(key.arn)!, state: 'Disabled' })
    await storage.commit(changes, { eventId: 'lost', position: '', record: '{}' })
    const other = await openDatabase(sqlite(':memory:', { create: true, fleet: true }))
    for (const eventId of ['x', 'y', 'z']) {
      const record = { ...aKey(eventId.charCodeAt(0)), revision: 1 }
      const records = [{ eventId, position: '', record: '{}' }]
      await other.commit({ gateway: 'b', changes: [{ noun: 'keys', action: 'put', record }], records })
    }
    path.replaceBy(other)
    await until(() => reloads.length > 0)
    expect(reloads).toMatchObject([
      [{ number: 2, eventId: 'lost' }, { number: 3, eventId: 'z' }, [{ number: 2, eventId: 'lost' }]],
    ])
    await until(() => storage.fleet.mayServe)
    expect(storage.keys.all().map(({ id }) => id)).toEqual(['x', 'y', 'z'].map(id => aKey(id.charCodeAt(0)).id))
  })
})

describe('a database that gives a number again', () => {
  const event = (eventId: string) => ({ eventId, position: '', record: '{}' })

  async function failedOver(): Promise<{ a: Gateway; other: SqlDatabase; key: ReturnType<typeof aKey> }> {
    const a = await open('a')
    const key = aKey(1)
    const other = await openDatabase(sqlite(':memory:', { create: true, fleet: true }))
    const first = { noun: 'keys', action: 'put', record: { ...key, revision: 1 } } as const
    for (const database of [shared, other])
      await database.commit({ gateway: 'b', changes: [first], records: [event('first')] })
    await until(() => a.storage.keys.find(key.arn) !== undefined)
    const position = { number: 1, eventId: 'first' }
    await other.renewLease({ gateway: 'a', run: 'a', position, milliseconds: lease, renewal: 1, state: '{}' })
    const lost = new Changes()
    lost.put('keys', aKey(2))
    await a.storage.commit(lost, event('lost'))
    const disabled = { ...first, record: { ...key, state: 'Disabled', revision: 2 } } as const
    await other.commit({ gateway: 'b', changes: [disabled], records: [event('other')] })
    return { a, other, key }
  }

  it('changes nothing for a gateway that has seen another commit of that number, until it has read all again', async () => {
    const { a, other, key } = await failedOver()
    a.path.replaceBy(other)
    await expect(put(a.storage, aKey(3))).rejects.toThrow('the database is not the one that was read')
    await until(() => a.storage.fleet.mayServe && a.storage.keys.find(key.arn)?.state === 'Disabled')
    expect(a.storage.keys.find(aKey(2).arn)).toBeUndefined()
    expect(a.reloads).toMatchObject([[{}, {}, [{ eventId: 'lost' }]]])
    await until(() => a.storage.fleet.settled() === undefined)
    await put(a.storage, aKey(3))
  })

  it('is served again even if it went away while it was read again', async () => {
    const { a, other } = await failedOver()
    let fails = false
    const failing = (method: PropertyKey, ...args: never[]) => {
      if (method === 'lostEvents') fails = true
      else if (fails && method === 'changesAfter') {
        fails = false
        return Promise.reject(new Error('the database is away'))
      }
      return (other[method as 'load'] as (...args: never[]) => unknown)(...args)
    }
    a.path.replaceBy(new Proxy(other, { get: (_, method) => failing.bind(undefined, method) }))
    await until(() => a.reloads.length > 0)
    await until(() => a.storage.fleet.mayServe)
    expect(a.storage.fleet.applied).toBe(2)
  })

  it('leaves nobody waiting for what it has lost', async () => {
    const { a, other } = await failedOver()
    for (let number = 3; number <= 9; number++) await put(a.storage, aKey(number))
    a.path.replaceBy(other)
    await until(() => a.reloads.length > 0 && a.storage.fleet.mayServe)
    await until(() => a.storage.fleet.settled() === undefined)
    expect(a.storage.fleet.applied).toBe(2)
  })
})

it('a restored storage, whose log does not have the last number, can be changed', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'strongroom-fleet-'))
  const path = join(folder.path, 'storage.db')
  await (await openDatabase(sqlite(path, { create: true, fleet: true }))).close()
  const file = new DatabaseSync(path)
  file.exec('update change_number set last = last + 100')
  file.close()
  const restored = await openDatabase(sqlite(path, { create: false, fleet: true }))
  const { storage } = await open('a', { database: restored })
  expect(await put(storage, aKey(1))).toBe(101)
  await storage.close()
  gateways = []
  await restored.close()
})

describe('lists', () => {
  it('conflict if what they find is never there', async () => {
    const { path, storage } = await open('a')
    const list = async () => [aKey(1).arn]
    path.replaceBy(
      new Proxy(shared, {
        get: (database, method) => (method === 'listKeys' ? list : Reflect.get(database, method).bind(database)),
      }),
    )
    await expect(storage.keys.list({ account, region, limit: 10 })).rejects.toThrow(Conflict)
  })

  it('do not tell of a removal that the gateway itself does not show yet', async () => {
    const [a, b] = [await open('a'), await open('b')]
    const key = aKey(1)
    await put(a.storage, key)
    const changes = new Changes()
    changes.put('aliases', anAlias('one', key))
    await a.storage.commit(changes)
    await until(() => b.storage.aliases.ofKey(key.arn).length === 1)
    await b.storage.fleet.settled()
    const removed = new Changes()
    removed.remove('aliases', a.storage.aliases.ofKey(key.arn)[0]!)
    await a.storage.commit(removed)
    expect(await b.storage.aliases.list({ account, region, limit: 10 })).toEqual([])
    expect(b.storage.aliases.ofKey(key.arn)).toEqual([])
  })
})

describe('a lease', () => {
  it.each(['clock', 'elapsed'] as const)('ends when the %s says so, and comes back', async which => {
    const { storage, moved } = await open('a')
    expect(storage.fleet.mayServe).toBe(true)
    moved[which] += lease
    expect(storage.fleet.mayServe).toBe(false)
    await until(() => storage.fleet.mayServe)
  })

  it('is given back at the end, and nobody waits for it', async () => {
    const [a, b] = [await open('a'), await open('b')]
    await b.storage.close()
    expect((await a.storage.fleet.members()).map(({ gateway, holdsLease }) => [gateway, holdsLease])).toEqual([
      ['a', true],
      ['b', false],
    ])
  })

  it('that was not given back is ended by whoever has waited for its end, so that a gateway that starts then need not', async () => {
    const { storage } = await open('a')
    await shared.renewLease({ gateway: 'killed', run: 'killed', ...request })
    const isHeld = async () => (await storage.fleet.members()).find(({ gateway }) => gateway === 'killed')!.holdsLease
    while (await isHeld()) await sleep(5)
    const b = await open('b')
    await put(b.storage, aKey(1))
    expect(await b.storage.fleet.settled()).not.toBe(false)
    expect(storage.keys.find(aKey(1).arn)).toBeDefined()
  })

  it('is taken from a run that is certainly over, waited for otherwise, and not given to two gateways of one name', async () => {
    const killed = { gateway: 'a', ...request }
    await shared.renewLease({ ...killed, run: 'killed' })
    const { storage } = await open('a', { run: 'next', isOver: () => true })
    await storage.close()
    await shared.renewLease({ ...killed, run: 'unknown' })
    const { storage: waited } = await open('a', { run: 'third' })
    expect(waited.fleet.mayServe).toBe(true)
    await expect(open('a', { run: 'fourth' })).rejects.toThrow('another gateway with this database has the name a')
  })
})

describe.each<[string, () => Promise<Engine>]>([
  ['SQLite', async () => sqlite(':memory:', { create: true, fleet: true })],
  ['PostgreSQL', async () => engineOf(await (await postgresql()).createDatabase())],
])('while the clock of %s is wrong', (_, engine) => {
  /** SQL: milliseconds since the epoch. */
  let now: (right: RawBuilder<number>) => RawBuilder<number>
  const step = (milliseconds: number) => {
    now = right => sql<number>`${right} + ${sql.lit(milliseconds)}`
  }
  beforeEach(async () => {
    step(0)
    const right = await engine()
    const wrong = Object.defineProperty({ ...right }, 'now', { get: () => now(right.now) })
    await shared.close()
    shared = await openDatabase(wrong)
  })

  it.each([3_600_000, -3_600_000])(
    'by %i ms, an answer waits for a gateway that is cut off as long as it may serve',
    async by => {
      const [a, b] = [await open('a'), await open('b')]
      b.path.isCut = true
      await put(a.storage, aKey(1))
      step(by)
      expect(await a.storage.fleet.settled([aKey(1).arn])).toBe(true)
      expect(b.storage.fleet.mayServe).toBe(false)
    },
  )

  it('as it stands still, renewals can be told apart, and end when they do', async () => {
    now = () => sql<number>`1`
    const [a, b] = [await open('a'), await open('b')]
    const member = async () => (await a.storage.fleet.members()).find(({ gateway }) => gateway === 'b')!
    const before = await member()
    while ((await member()).renewal === before.renewal) await sleep(5)
    expect((await member()).leaseUntil).toBe(before.leaseUntil)
    b.path.isCut = true
    await put(a.storage, aKey(1))
    expect(await a.storage.fleet.settled()).toBe(true)
    expect(b.storage.fleet.mayServe).toBe(false)
  })

  it('a gateway that serves keeps its name, and may commit', async () => {
    const { storage } = await open('a', { run: 'first' })
    step(3_600_000)
    await put(storage, aKey(1))
    await expect(open('a', { run: 'second' })).rejects.toThrow('another gateway with this database has the name a')
    step(-3_600_000)
    await put(storage, aKey(2))
    await until(() => storage.fleet.mayServe)
  })
})
