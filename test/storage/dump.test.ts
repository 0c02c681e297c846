/** Dumps of storages, and storages made of them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { markRestored } from '../../src/storage/dump/restored.ts'
import { copy, fill } from '../../src/storage/dump/transfer.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import { schema } from '../../src/storage/migrations/migrate.ts'
import { openStorage } from '../../src/storage/sql-storage.ts'
import { postgresql } from '../postgresql.ts'
import { cases } from '../thorough.ts'
import { fullStorage, linesOf } from './full-storage.ts'
import { engineOf } from './open.ts'
import { aKey, aMaterial, aPrincipal } from './records.ts'

let folder: string
let number = 0

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const elapsed = () => performance.now()
const leaseRequest = { position: { number: 0, eventId: undefined }, milliseconds: 60_000, renewal: 1, state: '{}' }

const file = () => join(folder, `${++number}.db`)

async function* inTurn(lines: readonly string[]) {
  for (let start = 0; start < lines.length; start += 700) yield lines.slice(start, start + 700)
}

describe('a dump', () => {
  let original: string
  let lines: readonly string[]
  beforeAll(async () => {
    original = file()
    await fullStorage(original)
    lines = await linesOf(sqlite(original))
  })

  it('makes an equal storage, whose dump is the same', async () => {
    const path = file()
    const sums = await fill(sqlite(path, { create: true }), { schema, dump: () => inTurn(lines) })
    expect(sums.get('keys')?.rows).toBe(1102)
    expect(await linesOf(sqlite(path))).toEqual(lines)
    const [one, other] = await Promise.all(
      [original, path].map(async path => {
        const database = await openDatabase(sqlite(path))
        const storage = await openStorage(database, { now: 1, gateway: 'first' })
        const read = {
          keys: storage.keys.all(),
          outbox: await storage.outbox.list(),
          last: (await database.lastChange()).number,
        }
        await storage.close()
        return read
      }),
    )
    expect(other).toEqual(one)
  })

  it('leaves a table out only by decision: every other row is in it', async () => {
    const empty = lines.filter(line => line.startsWith('{"rows":0'))
    const heads = lines.filter(line => line.startsWith('{"table"')).map(line => JSON.parse(line).table as string)
    const withoutRows = heads.filter((_, index) => lines.filter(line => line.startsWith('{"rows"'))[index] === empty[0])
    expect(new Set([...withoutRows, 'key_uses', 'access_key_uses', 'gateways', 'taken_records', 'journals'])).toEqual(
      new Set(['key_uses', 'access_key_uses', 'gateways', 'taken_records', 'journals']),
    )
  })

  it.each<readonly [string, (all: string[]) => string[]]>(
    cases([
      ['a row is missing', (all: string[]) => all.toSpliced(1, 1)],
      ['a row has changed', (all: string[]) => all.with(1, all[1]!.replace('ключ', 'other'))],
      [
        'two columns are swapped',
        (all: string[]) => all.with(0, all[0]!.replace('"account","arn"', '"arn","account"')),
      ],
      ['the end is missing', (all: string[]) => all.slice(0, 100)],
    ]),
  )('is refused, and nothing is written, if %s', async (_, damage) => {
    const path = file()
    const into = sqlite(path, { create: true })
    await expect(fill(into, { schema, dump: () => inTurn(damage([...lines])) })).rejects.toThrow()
    await expect(openDatabase(sqlite(path))).rejects.toThrow('is empty: restore it from a backup')
    await fill(into, { schema, dump: () => inTurn(lines) })
    expect(await linesOf(sqlite(path))).toEqual(lines)
  })

  it('is not written over a storage', async () => {
    await expect(fill(sqlite(original), { schema, dump: () => inTurn(lines) })).rejects.toThrow('is not empty')
    expect(await linesOf(sqlite(original))).toEqual(lines)
  })
})

describe('a copy', () => {
  it('is equal, and refused while the source is open or the target has tables', async () => {
    const [from, to] = [file(), file()]
    await fullStorage(from)
    const database = await openDatabase(sqlite(from))
    await database.renewLease({ gateway: 'g1', run: 'r', ...leaseRequest })
    await expect(copy(sqlite(from), sqlite(to, { create: true }), elapsed)).rejects.toThrow(/in use by another/)
    // Of its file, everybody knows that no gateway has it any more.
    await database.close()
    await copy(sqlite(from), sqlite(to, { create: true }), elapsed)
    expect(await linesOf(sqlite(to))).toEqual(await linesOf(sqlite(from)))
    const copied = await openDatabase(sqlite(to))
    expect(await copied.members()).toMatchObject([{ gateway: 'g1', holdsLease: false }])
    await copied.close()
    await expect(copy(sqlite(from), sqlite(to, { create: true }), elapsed)).rejects.toThrow('is not empty')
  })

  it('is refused while a gateway has a lease, and waits for the end of one that was not given back', async () => {
    const source = await (await postgresql()).createDatabase()
    const from = engineOf(source)
    const to = sqlite(file(), { create: true })
    const database = await openDatabase(from)
    let renewal = 0
    const renew = () => database.renewLease({ gateway: 'g1', run: 'r', ...leaseRequest, renewal: ++renewal })
    await renew()
    const renewing = setInterval(renew, 300)
    await expect(copy(from, to, elapsed)).rejects.toThrow(/in use by the gateways g1/)
    clearInterval(renewing)
    await renew()
    let passed = 0
    const begun = elapsed()
    await copy(from, to, () => elapsed() + passed++ * 30_000)
    expect(elapsed() - begun).toBeLessThan(10_000)
    expect(await database.members()).toMatchObject([{ gateway: 'g1', holdsLease: false }])
    await database.close()
    await source.drop()
  })

  it('lets gateways follow the changes after it, although it has no log of those before', async () => {
    const [from, path] = [file(), file()]
    await fullStorage(from)
    await copy(sqlite(from), sqlite(path, { create: true }), elapsed)
    const database = await openDatabase(sqlite(path, { fleet: true }))
    const copied = await database.lastChange()
    expect(copied).toEqual({ number: expect.any(Number), eventId: undefined })
    const lease = { gateway: 'g2', run: 'r', ...leaseRequest }
    await database.renewLease({ ...lease, position: copied })
    const behind = async () => (await database.members()).find(({ gateway }) => gateway === 'g2')?.changesBehind
    expect(await behind()).toBe(0)
    await database.renewLease({ ...lease, position: { ...copied, eventId: 'of another storage' } })
    expect(await behind()).toBe(copied.number)
    const record = { ...aKey(5000), revision: 1 }
    const changes = [{ noun: 'keys', action: 'put', record } as const]
    const number = await database.commit({ gateway: 'g1', changes, records: [] })
    expect(await database.changesAfter(copied)).toMatchObject({ number, records: [{ key: [record.arn] }] })
    for (const position of [
      { ...copied, eventId: 'of another storage' },
      { ...copied, number: copied.number - 1 },
    ]) {
      expect(await database.changesAfter(position)).toBe(undefined)
    }
    await database.close()
  })
})

describe('a copy to PostgreSQL', () => {
  it('has an equal dump, goes back to SQLite, and is complete or not there', async () => {
    const server = await postgresql()
    const database = await server.createDatabase()
    const engine = (create: boolean) => engineOf(database, {}, create)
    const [from, back] = [file(), file()]
    await fullStorage(from)
    const lines = await linesOf(sqlite(from))
    const cut = fill(engine(true), { schema, dump: () => inTurn(lines.slice(0, -1)) })
    await expect(cut).rejects.toThrow('is not complete')
    await expect(openDatabase(engine(false))).rejects.toThrow('is empty: restore it from a backup')
    const copies = await Promise.allSettled([
      copy(sqlite(from), engine(true), elapsed),
      fill(engine(true), { schema, dump: () => inTurn(lines) }),
    ])
    expect(copies.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(String((copies.find(({ status }) => status === 'rejected') as PromiseRejectedResult).reason)).toMatch(
      'is not empty',
    )
    expect(await linesOf(engine(false))).toEqual(lines)
    await copy(engine(false), sqlite(back, { create: true }), elapsed)
    expect(await linesOf(sqlite(back))).toEqual(lines)
    await database.drop()
  })
})

describe('a restored storage', () => {
  it('reuses no number, trusts neither clock nor sessions, and has no smaller count', async () => {
    const [from, to] = [file(), file()]
    await fullStorage(from)
    const lines = await linesOf(sqlite(from))
    const now = 1_800_000_000_000
    const record = { eventId: 'restored', position: '', record: '{}' }
    await fill(sqlite(to, { create: true }), {
      schema,
      dump: () => inTurn(lines),
      finish: db => markRestored(db, { now, encryptions: 1000, record }),
    })
    const database = await openDatabase(sqlite(to))
    expect((await database.lastChange()).number).toBe(2 ** 32 + 1)
    expect((await database.readClock())?.reading).toMatchObject({ trusted: false })
    expect((await database.heldRecords()).map(({ eventId }) => eventId).sort()).toEqual(['event', 'restored'])
    const storage = await openStorage(database, { now })
    expect(storage.encryptions.made(aMaterial(1).id)).toBeGreaterThanOrEqual(1000)
    expect(storage.encryptions.made(aMaterial(9100).id)).toBeGreaterThanOrEqual(1001)
    expect(storage.principals.find(aPrincipal('user').arn)?.sessionsRevokedBefore).toBe(now)
    await storage.close()
  })
})
