import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Unreachable } from '../../src/storage/engines/engine.ts'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import type { SqlDatabase } from '../../src/storage/sql-database.ts'
import { type Change, Conflict } from '../../src/storage/storage.ts'
import { postgresql, type TestDatabase } from '../postgresql.ts'
import { TcpProxy } from '../tcp-proxy.ts'
import { engineOf } from './open.ts'
import { aKey } from './records.ts'

/** A PostgreSQL database behind a bad network, or that is away. */

let database: TestDatabase
let proxy: TcpProxy
let storage: SqlDatabase
/** What the storage knows. */
let password: string
/** What it has told. */
let problems: (string | undefined)[]
beforeEach(async () => {
  const server = await postgresql()
  const created = await server.createDatabase()
  // Of a role of its own, so that its password can be changed.
  const user = created.database
  password = created.password
  await created.sql(`create role ${user} login password '${password}'; alter database ${user} owner to ${user}`)
  const drop = async () => {
    await created.drop()
    await server.sql(`drop role ${user}`)
  }
  database = { ...created, user, drop }
  proxy = await TcpProxy.to(database)
  problems = []
  const told = { password: () => password, onReach: (problem: string | undefined) => problems.push(problem) }
  const timeouts = { connectTimeout: 500, statementTimeout: 1000 }
  storage = await openDatabase(engineOf(database, { port: proxy.port, ...timeouts, ...told }))
})
afterEach(async () => {
  proxy.tap = undefined
  await storage.close()
  await proxy[Symbol.asyncDispose]()
  await database.drop()
})

function putKey(number: number, through = storage): Promise<number> {
  const change = { noun: 'keys', action: 'put', record: { ...aKey(number), revision: 1 } } as Change
  const records = [{ eventId: `event-${number}`, position: '', record: '{}' }]
  return through.commit({ gateway: 'a', changes: [change], records } as never)
}

const page = { account: '1', region: 'r', limit: 1 }

const numbers = async () => {
  const rows = await database.sql('select number, event_id from changes order by number')
  return rows.map(({ number, event_id }) => [Number(number), event_id])
}

/** Cuts the connection once, at what is said. */
function cutAt(text: string, from: 'client' | 'target', done: () => void): void {
  proxy.tap = (data, sender, cut) => {
    if (sender !== from || !data.includes(text)) return
    proxy.tap = undefined
    done()
    cut()
  }
}

describe('a connection that is cut', () => {
  it('before the server is asked to commit costs no commit: it is done again', async () => {
    let cuts = 0
    cutAt('insert into "keys"', 'client', () => cuts++)
    expect(await putKey(1)).toBe(1)
    expect(cuts).toBe(1)
    expect(await numbers()).toEqual([[1, 'event-1']])
  })

  it('as the server is asked to commit costs the commit, of which nothing was done', async () => {
    let cuts = 0
    cutAt('commit\0', 'client', () => cuts++)
    await expect(putKey(1)).rejects.toBeInstanceOf(Unreachable)
    expect(cuts).toBe(1)
    expect(await numbers()).toEqual([])
    expect(await putKey(1)).toBe(1)
  })

  it('before the answer to a commit does not hide that it was done', async () => {
    let cuts = 0
    cutAt('COMMIT\0', 'target', () => cuts++)
    expect(await putKey(1)).toBe(1)
    expect(cuts).toBe(1)
    await expect(putKey(1)).rejects.toBeInstanceOf(Conflict)
    expect(await numbers()).toEqual([[1, 'event-1']])
  })

  it('at any time loses no commit that was answered, and does none twice', async () => {
    const done: number[] = []
    let pieces = 0
    // Some commits take fewer pieces, and some more: each place in a commit is met in time.
    proxy.tap = (_data, _from, cut) => {
      if (++pieces % 41 === 0) cut()
    }
    for (let number = 1; number <= 200; number++) {
      const outcome = await putKey(number).catch(error => error)
      if (typeof outcome === 'number') done.push(outcome)
      else {
        expect(outcome).toBeInstanceOf(Unreachable)
        await sleep(100)
      }
    }
    proxy.tap = undefined
    expect((await numbers()).map(([number]) => number)).toEqual(done)
    expect(done.length).toBeGreaterThan(100)
  })
})

describe('a server that is away', () => {
  it('has changes and lists refused at once, and is found when it is back', async () => {
    await putKey(1)
    await proxy.refuse()
    proxy.cut()
    await expect(putKey(2)).rejects.toMatchObject({ code: 'DependencyTimeout' })
    const refused = await Promise.allSettled([
      ...Array.from({ length: 100 }, (_, index) => putKey(index + 2)),
      storage.listKeys(page),
    ])
    for (const result of refused)
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'DependencyTimeout' } })
    await proxy.accept()
    await expect.poll(() => putKey(3).catch(() => 0)).toBe(2)
  })

  it.each(['stall', 'halfOpen'] as const)('without a word (%s) holds nobody up for ever', async how => {
    await putKey(1)
    proxy[how]()
    if (how === 'halfOpen') await proxy.refuse()
    const refused = await Promise.allSettled([putKey(2), putKey(3), storage.members()])
    for (const { status } of refused) expect(status).toBe('rejected')
    if (how === 'halfOpen') await proxy.accept()
    else proxy.resume()
    await expect.poll(() => putKey(4).catch(() => 0)).toBeGreaterThan(1)
  })
})

it('a server that hangs does not hold up the end, whatever the time that a statement may take', async () => {
  const other = await openDatabase(engineOf(database, { port: proxy.port, statementTimeout: 60_000 }))
  await other.takeJobLease('a')
  await other.listKeys(page)
  proxy.stall()
  const begun = Date.now()
  await other.endJobLease('a')
  await other.close()
  expect(Date.now() - begun).toBeLessThan(30_000)
  proxy.resume()
  await expect.poll(() => storage.takeJobLease('b').catch(() => undefined), { timeout: 10_000 }).toBeGreaterThan(0)
})

describe('a file of TLS that cannot be read', () => {
  it('keeps sessions from being opened until it can be, wherever one is needed', async () => {
    const server = await postgresql()
    let isReadable = true
    const files = () => {
      if (!isReadable) throw new Error('EACCES: permission denied')
      return { ca: readFileSync(server.caFile) }
    }
    const tls = { verifyHost: false, files }
    await using other = await TcpProxy.to(database)
    const options = { port: other.port, maxConnections: 4, connectTimeout: 500, tls, schema: 'of_tls' }
    const opened = await openDatabase(engineOf(database, options))
    other.cut()
    other.stall()
    // More than the pool has sessions: the others wait, and get one when an attempt to connect has failed.
    const reads = Promise.allSettled(Array.from({ length: 12 }, () => opened.listKeys(page)))
    await sleep(100)
    isReadable = false
    other.cut()
    expect(new Set((await reads).map(({ status }) => status))).toEqual(new Set(['rejected']))
    other.resume()
    isReadable = true
    await expect.poll(() => putKey(1, opened).catch(() => undefined)).toBeTypeOf('number')
    await opened.close()
  })
})

describe('a server that opens no more sessions', () => {
  /** Milliseconds for which it is not asked for another one. */
  const pause = 1000
  let tried: Set<object>
  beforeEach(async () => {
    await putKey(1)
    await storage.members()
    tried = new Set()
    proxy.tap = (_data, _from, _cut, connection) => tried.add(connection)
  })
  const many = () => Promise.all(Array.from({ length: 12 }, () => storage.listKeys(page)))

  it('is used through those that it has, and asked seldom', async () => {
    let woken = 0
    storage.watch(() => woken++)
    await expect.poll(() => woken).toBeGreaterThan(0)
    const { connections } = proxy
    await database.sql(`alter database ${database.database} connection limit 0`)
    const begun = Date.now()
    for (let number = 2; number <= 6; number++)
      expect([await putKey(number), (await many()).length]).toEqual([number, 12])
    const pauses = 1 + Math.floor((Date.now() - begun) / pause)
    expect(tried.size).toBeLessThanOrEqual(connections + 3 * pauses)
    expect(problems).toEqual([])
    const before = woken
    await database.sql('notify "strongroom.public"')
    await expect.poll(() => woken).toBeGreaterThan(before)
  })

  it('as its password was changed, gets the new one once that is known', async () => {
    await database.sql(`alter role ${database.user} password 'changed'`)
    await many()
    expect(await putKey(2)).toBe(2)
    expect(problems).toEqual([])
    proxy.cut()
    tried.clear()
    await expect.poll(() => putKey(3).catch(error => error)).toMatchObject({ code: 'DependencyTimeout' })
    for (const until = Date.now() + 2000; Date.now() < until; await sleep(20)) {
      await Promise.allSettled([putKey(3), many()])
    }
    expect(problems).toEqual([`refuses the connection: password authentication failed for user "${database.user}"`])
    expect(tried.size).toBeLessThan(20)
    password = 'changed'
    await expect.poll(() => putKey(3).catch(() => 0), { timeout: 5000 }).toBe(3)
    expect(problems.at(-1)).toBeUndefined()
  })
})

it('a database that has become read-only is away until it can be written', async () => {
  await putKey(1)
  await database.sql(`alter database ${database.database} set default_transaction_read_only = on`)
  proxy.cut()
  await expect.poll(() => putKey(2).catch(error => error)).toMatchObject({ code: 'DependencyTimeout' })
  await sleep(500)
  expect(problems).toEqual(['cannot be written: it is read-only'])
  await (await postgresql()).sql(`alter database ${database.database} reset default_transaction_read_only`)
  await expect.poll(() => putKey(2).catch(() => 0), { timeout: 5000 }).toBe(2)
})

it('wakes those who watch though their session was stalled, and nothing else', async () => {
  let listening: object | undefined
  proxy.tap = (data, _from, _cut, connection) => {
    if (data.includes('listen "')) listening = connection
  }
  let woken = 0
  storage.watch(() => woken++)
  await expect.poll(() => woken).toBeGreaterThan(0)
  const [stalled, before] = [listening!, woken]
  proxy.stallOnly(stalled)
  await putKey(1)
  await expect.poll(() => woken, { timeout: 10_000 }).toBeGreaterThan(before)
  expect(listening).not.toBe(stalled)
  expect(problems).toEqual([])
})

it('another gateway that stops in the middle of a commit holds nobody up for ever', async () => {
  const other = await openDatabase(engineOf(database, { port: proxy.port, statementTimeout: 10_000 }))
  const stopped = Promise.withResolvers<void>()
  const direct = await openDatabase(engineOf(database, { statementTimeout: 8000 }))
  proxy.tap = data => {
    if (!data.includes('insert into "keys"')) return
    proxy.stall()
    stopped.resolve()
  }
  const stalled = putKey(1, other).catch(() => 'refused')
  await stopped.promise
  await expect.poll(() => putKey(2, direct).catch(() => 0), { timeout: 25_000 }).toBe(1)
  proxy.tap = undefined
  proxy.resume()
  await stalled
  await other.close()
  await direct.close()
})

it('wakes those who watch after a commit of another, also after their session was lost', async () => {
  let woken = 0
  storage.watch(() => woken++)
  await expect.poll(() => woken).toBeGreaterThan(0)
  const other = await openDatabase(engineOf(database))
  let before = woken
  await putKey(1, other)
  await expect.poll(() => woken).toBeGreaterThan(before)
  proxy.cut()
  before = woken
  await expect.poll(() => woken).toBeGreaterThan(before)
  before = woken
  await putKey(2, other)
  await expect.poll(() => woken).toBeGreaterThan(before)
  await other.close()
})

it('gateways that replace one record at the same time do not lose an update', async () => {
  const others = await Promise.all([1, 2, 3].map(() => openDatabase(engineOf(database))))
  await putKey(1)
  for (let revision = 2; revision <= 8; revision++) {
    const outcomes = await Promise.allSettled(
      others.map((other, index) => {
        const record = { ...aKey(1), description: `${index}`, revision }
        const changes = [{ noun: 'keys', action: 'put', record } as Change]
        const records = [{ eventId: `${revision}-${index}`, position: '', record: '{}' }]
        return other.commit({ gateway: `${index}`, changes, records } as never)
      }),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(Conflict)
  }
  for (const other of others) await other.close()
})
