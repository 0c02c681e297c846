/** Dumps of storages, and storages made of them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dump } from '../../src/storage/dump/dump.ts'
import { markRestored } from '../../src/storage/dump/restored.ts'
import { copy, fill } from '../../src/storage/dump/transfer.ts'
import type { Engine } from '../../src/storage/engines/engine.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { schema } from '../../src/storage/migrations/migrate.ts'
import { openDatabase } from '../../src/storage/sql-database.ts'
import { openStorage } from '../../src/storage/sql-storage.ts'
import { Changes, type Noun, type Records } from '../../src/storage/storage.ts'
import type { Database } from '../../src/storage/tables/database.ts'
import { postgresql } from '../postgresql.ts'
import { engineOf } from './open.ts'
import {
  aCustomKeyStore,
  aDestruction,
  aGrant,
  aGroup,
  aKey,
  aMaterial,
  anAccessKey,
  anAccount,
  anAlias,
  anExternalKeyStore,
  anObject,
  anOidcProvider,
  anXksKey,
  anXksPrefix,
  aPolicy,
  aPrincipal,
  aRole,
  aService,
  aSpareKey,
  aSystemKey,
  aWrappingKey,
} from './records.ts'

let folder: string
let number = 0

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const file = () => join(folder, `${++number}.db`)

async function linesOf(engine: Engine): Promise<string[]> {
  const connections = engine.connect<Database>()
  try {
    return await connections.read(async db => {
      const lines: string[] = []
      for await (const some of dump(db)) lines.push(...some)
      return lines
    })
  } finally {
    await connections.close()
  }
}

async function* inTurn(lines: readonly string[]) {
  for (let start = 0; start < lines.length; start += 700) yield lines.slice(start, start + 700)
}

/** With every kind of record, and more keys than are read at once. */
async function fullStorage(path: string): Promise<void> {
  const storage = await openStorage(await openDatabase(sqlite(path, { create: true, fleet: true })), {
    now: 1,
    gateway: 'first',
  })
  const changes = new Changes()
  const put = <N extends Noun>(noun: N, ...records: Records[N][]) => records.map(record => changes.put(noun, record))
  const key = aKey(1, { description: 'ключ 🔑 "quoted"\n\0', tags: [{ TagKey: 'a', TagValue: 'b' }] })
  const user = aPrincipal('user')
  const prefix = anXksPrefix('prefix')
  const bytes = new Uint8Array([0, 1, 255])
  put('keys', key, ...Array.from({ length: 1100 }, (_, index) => aKey(index + 2)))
  put(
    'keys',
    aKey(9000, { materials: [aMaterial(9000, { publicKey: bytes }), aMaterial(9001, { checkValue: bytes })] }),
  )
  put('aliases', anAlias('one', key))
  put('grants', aGrant(1, key))
  put('accounts', anAccount('111122223333'))
  put('managedPolicies', aPolicy('policy', '{}'))
  put('groups', aGroup('group'))
  put('oidcProviders', anOidcProvider('host.example'))
  put('principals', user, aRole('role'))
  put('services', aService('service', user))
  put('accessKeys', anAccessKey('AKIAFIRST', user))
  put('systemKeys', aSystemKey('seal', aMaterial(9100)))
  put('spareKeys', aSpareKey(anObject(9200, { publicKey: bytes })))
  put('wrappingKeys', aWrappingKey(9300, key))
  put('customKeyStores', aCustomKeyStore(1), anExternalKeyStore(2))
  put('destructions', aDestruction(anObject(9400), key))
  put('xksPrefixes', prefix)
  put('xksKeys', anXksKey(prefix, 'external'))
  await storage.commit(changes, { eventId: 'event', position: 'somewhere', record: '{}' })
  await storage.encryptions.count(aMaterial(9100).id)
  await storage.close()
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

  it.each([
    ['a row is missing', (all: string[]) => all.toSpliced(1, 1)],
    ['a row has changed', (all: string[]) => all.with(1, all[1]!.replace('ключ', 'other'))],
    ['two columns are swapped', (all: string[]) => all.with(0, all[0]!.replace('"account","arn"', '"arn","account"'))],
    ['the end is missing', (all: string[]) => all.slice(0, 100)],
  ])('is refused, and nothing is written, if %s', async (_, damage) => {
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
  it('is equal, and refused while the source has a gateway or the target has tables', async () => {
    const [from, to] = [file(), file()]
    await fullStorage(from)
    const database = await openDatabase(sqlite(from))
    await database.renewLease({
      gateway: 'g1',
      run: 'r',
      position: { number: 0, eventId: undefined },
      milliseconds: 60_000,
      state: '{}',
    })
    await database.close()
    await expect(copy(sqlite(from), sqlite(to, { create: true }))).rejects.toThrow(/in use by the gateways g1/)
    const again = await openDatabase(sqlite(from))
    await expect(copy(sqlite(from), sqlite(to, { create: true }))).rejects.toThrow(/in use by another/)
    await again.endLease('g1')
    await again.close()
    await copy(sqlite(from), sqlite(to, { create: true }))
    expect(await linesOf(sqlite(to))).toEqual(await linesOf(sqlite(from)))
    await expect(copy(sqlite(from), sqlite(to, { create: true }))).rejects.toThrow('is not empty')
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
      copy(sqlite(from), engine(true)),
      fill(engine(true), { schema, dump: () => inTurn(lines) }),
    ])
    expect(copies.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(String((copies.find(({ status }) => status === 'rejected') as PromiseRejectedResult).reason)).toMatch(
      'is not empty',
    )
    expect(await linesOf(engine(false))).toEqual(lines)
    await copy(engine(false), sqlite(back, { create: true }))
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
    expect(await database.readClock()).toMatchObject({ trusted: false })
    expect((await database.heldRecords()).map(({ eventId }) => eventId).sort()).toEqual(['event', 'restored'])
    const storage = await openStorage(database, { now })
    expect(storage.encryptions.made(aMaterial(1).id)).toBeGreaterThanOrEqual(1000)
    expect(storage.encryptions.made(aMaterial(9100).id)).toBeGreaterThanOrEqual(1001)
    expect(storage.principals.find(aPrincipal('user').arn)?.sessionsRevokedBefore).toBe(now)
    await storage.close()
  })
})
