/** The log of commits and the leases, through the contract of SqlDatabase. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Engine } from '../../src/storage/engines/engine.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { scopesOf } from '../../src/storage/fleet/scopes.ts'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import type { SqlDatabase } from '../../src/storage/sql-database.ts'
import { type Basis, type Change, Conflict, LeaseLost } from '../../src/storage/storage.ts'
import { changesAfter } from '../../src/storage/tables/changes.ts'
import type { Database } from '../../src/storage/tables/database.ts'
import { postgresql } from '../postgresql.ts'
import { engineOf } from './open.ts'
import { account, aGrant, aKey, anAlias, anXksPrefix, aPrincipal } from './records.ts'

let database: SqlDatabase

const engines: [string, () => Promise<Engine>][] = [
  ['SQLite', async () => sqlite(':memory:', { create: true, fleet: true })],
  ['PostgreSQL', async () => engineOf(await (await postgresql()).createDatabase())],
]

const key = { ...aKey(1), revision: 1 }
const puts = (...changes: Change[]) => changes
const put = (change: Omit<Change, 'action'>) => ({ ...change, action: 'put' }) as Change

function commit(eventId: string, changes: Change[], gateway = 'a'): Promise<number> {
  return database.commit({ gateway, changes, records: [{ eventId, position: '', record: '{}' }] })
}

function opened(engine: () => Promise<Engine>): void {
  beforeEach(async () => {
    database = await openDatabase(await engine())
  })
  afterEach(() => database.close())
}

describe.each(engines)('the change log in %s', (_, engine) => {
  opened(engine)

  it('numbers commits from 1, without a gap for one that conflicts', async () => {
    expect(await commit('e1', [put({ noun: 'keys', record: key })])).toBe(1)
    await expect(commit('e2', [put({ noun: 'keys', record: key })])).rejects.toThrow(Conflict)
    expect(await commit('e3', [put({ noun: 'keys', record: { ...key, revision: 2 } })])).toBe(2)
    expect(await database.lastChange()).toEqual({ number: 2, eventId: 'e3' })
  })

  it('has the current records of what was changed, each once, and no record of one that is gone', async () => {
    const alias = { ...anAlias('one', key), revision: 1 }
    const grant = { ...aGrant(1, key), revision: 1 }
    await commit('e1', puts(put({ noun: 'keys', record: key }), put({ noun: 'grants', record: grant })))
    await commit('e2', [put({ noun: 'keys', record: { ...key, description: 'new', revision: 2 } })])
    await commit('e3', [put({ noun: 'aliases', record: alias })])
    await commit('e4', [{ noun: 'aliases', action: 'remove', record: alias }])
    const { records, ...position } = (await database.changesAfter({ number: 0, eventId: undefined }))!
    expect(position).toEqual({ number: 4, eventId: 'e4' })
    expect(records).toEqual([
      { noun: 'keys', key: [key.arn], record: { ...key, description: 'new', revision: 2 } },
      { noun: 'grants', key: [grant.keyArn, grant.id], record: grant },
      { noun: 'aliases', key: [alias.arn], record: undefined },
    ])
    expect((await database.changesAfter({ number: 3, eventId: 'e3' }))?.records).toEqual([
      { noun: 'aliases', key: [alias.arn], record: undefined },
    ])
    expect((await database.changesAfter({ number: 4, eventId: 'e4' }))?.records).toEqual([])
  })

  it('does not lead from a position that it never had, or no longer has', async () => {
    for (const revision of [1, 2, 3])
      await commit(`e${revision}`, [put({ noun: 'keys', record: { ...key, revision } })])
    for (const position of [
      { number: 4, eventId: 'e4' },
      { number: 3, eventId: 'other' },
      { number: 2, eventId: 'other' },
      { number: 2, eventId: undefined },
    ]) {
      expect(await database.changesAfter(position)).toBeUndefined()
    }
    await database.pruneChanges(-1)
    expect(await database.changesAfter({ number: 1, eventId: 'e1' })).toBeUndefined()
    expect(await database.changesAfter({ number: 0, eventId: undefined })).toBeUndefined()
    expect(await database.lastChange()).toEqual({ number: 3, eventId: 'e3' })
  })
})

it('a change log is not followed over more changes than can be read at once', async () => {
  const engine = engineOf(await (await postgresql()).createDatabase())
  database = await openDatabase(engine)
  for (const number of [1, 2, 3]) {
    const two = [aKey(number), aKey(number + 10)].map(key => put({ noun: 'keys', record: { ...key, revision: 1 } }))
    await commit(`e${number}`, two)
  }
  const connections = engine.connect<Database>()
  const after = (number: number, most: number) =>
    connections.read(db => changesAfter(db, { number, eventId: `e${number}` }, most))
  expect((await after(1, 4))?.records).toHaveLength(4)
  expect(await after(1, 3)).toBeUndefined()
  expect(await after(3, 1)).toEqual({ number: 3, eventId: 'e3', records: [] })
  await connections.close()
  await database.close()
})

describe.each(engines)('a lease in %s', (_, engine) => {
  opened(engine)

  const start = { number: 0, eventId: undefined }
  const request = { gateway: 'a', run: 'r1', position: start, milliseconds: 60_000, renewal: 1, state: '{}' }

  it('makes the gateway a member, which acknowledges changes', async () => {
    await commit('e1', [put({ noun: 'keys', record: key })])
    await database.renewLease(request)
    await database.acknowledge('a', 'r1', { number: 1, eventId: 'e1' })
    const [member] = await database.members()
    expect(member).toMatchObject({ gateway: 'a', run: 'r1', applied: 1, state: '{}' })
    expect(member!.leaseLeft).toBeGreaterThan(0)
    expect(member!.leaseLeft).toBeLessThanOrEqual(60_000)
  })

  it('is not granted to another run of the same gateway until it has ended', async () => {
    await database.renewLease(request)
    const joinedAt = (await database.members())[0]!.joinedAt
    await expect(database.renewLease({ ...request, run: 'r2' })).rejects.toThrow(Conflict)
    await database.endLease('a', { run: 'r2' })
    await expect(database.renewLease({ ...request, run: 'r2' })).rejects.toThrow(Conflict)
    await commit('e1', [put({ noun: 'keys', record: key })])
    await database.renewLease({ ...request, position: { number: 1, eventId: 'e1' } })
    expect(await database.members()).toMatchObject([{ run: 'r1', applied: 1, joinedAt }])
    await database.endLease('a', { run: 'r1' })
    expect(await database.members()).toMatchObject([{ run: 'r1', leaseLeft: 0 }])
    await database.renewLease({ ...request, run: 'r2' })
    await database.acknowledge('a', 'r1', { number: 1, eventId: 'e1' })
    expect(await database.members()).toMatchObject([{ run: 'r2', applied: 0 }])
  })

  it('is ended by others only as they have read of it', async () => {
    await database.renewLease(request)
    const [before] = await database.members()
    await database.renewLease({ ...request, renewal: 2 })
    expect(await database.endLease('a', before)).toBe(false)
    const [renewed] = await database.members()
    expect(renewed).toMatchObject({ holdsLease: true, lease: 60_000, renewal: 2 })
    expect(await database.endLease('a', renewed)).toBe(true)
    expect(await database.members()).toMatchObject([{ holdsLease: false, leaseLeft: 0 }])
    await database.renewLease({ ...request, run: 'r2' })
    expect(await database.members()).toMatchObject([{ holdsLease: true, run: 'r2' }])
  })

  it('does not acknowledge commits that the database does not have', async () => {
    await commit('e1', [put({ noun: 'keys', record: key })])
    await database.renewLease({ ...request, position: { number: 2, eventId: 'e2' } })
    await database.acknowledge('a', 'r1', { number: 1, eventId: 'other' })
    expect(await database.members()).toMatchObject([{ applied: 0 }])
  })

  it('is needed by a commit of a gateway that shares the database', async () => {
    const changes = [put({ noun: 'keys', record: key })]
    const withLease = (run: string) => database.commit({ gateway: 'a', run, changes, records: [] })
    await expect(withLease('r1')).rejects.toThrow(LeaseLost)
    await database.renewLease(request)
    await expect(withLease('r2')).rejects.toThrow(LeaseLost)
    expect(await withLease('r1')).toBe(1)
    await database.endLease('a')
    await expect(withLease('r1')).rejects.toThrow(LeaseLost)
  })
})

describe.each(engines)('a commit that was decided before others in %s', (_, engine) => {
  opened(engine)

  const second = { ...aKey(2), revision: 1 }
  const decidedAt = (number: number, ...keys: string[]) => ({
    number,
    scopes: scopesOf(keys, { account, arn: aGrant(1, key).grantee.arn }),
  })
  const grant = put({ noun: 'grants', record: { ...aGrant(9, second), revision: 1 } })
  const commitGrant = (basis: Basis) => database.commit({ gateway: 'b', basis, changes: [grant], records: [] })

  beforeEach(() => commit('e1', puts(put({ noun: 'keys', record: key }), put({ noun: 'keys', record: second }))))

  it('conflicts if they changed its key, a grant of it, an identity of its account, or what concerns everybody', async () => {
    const ofKey = { ...aGrant(1, second), revision: 1 }
    const prefix = anXksPrefix('p')
    await commit(
      'e2',
      puts(
        put({ noun: 'grants', record: ofKey }),
        put({ noun: 'principals', record: { ...aPrincipal('u'), revision: 1 } }),
        put({ noun: 'xksPrefixes', record: { ...prefix, revision: 1 } }),
      ),
    )
    for (const [number, change] of [
      [3, put({ noun: 'keys', record: { ...second, state: 'Disabled', revision: 2 } })],
      [4, { noun: 'grants', action: 'remove', record: ofKey }],
      [5, put({ noun: 'principals', record: { ...aPrincipal('u'), revision: 2 } })],
      [6, put({ noun: 'xksPrefixes', record: { ...prefix, revision: 2 } })],
    ] as const) {
      expect(await commit(`e${number}`, [change as Change])).toBe(number)
      await expect(commitGrant(decidedAt(number - 1, second.arn))).rejects.toThrow(Conflict)
    }
    expect(await commitGrant(decidedAt(6, second.arn))).toBe(7)
  })

  it('does not if they changed other keys, their grants to others, identities of other accounts, or only added something', async () => {
    const stranger = { ...aPrincipal('stranger'), account: '999988887777' }
    await commit('e0', [put({ noun: 'principals', record: { ...stranger, revision: 1 } })])
    const toOther = {
      ...aGrant(2, second),
      grantee: { arn: `arn:aws:iam::${account}:role/other`, uniqueId: undefined },
      revision: 1,
    }
    await commit('g1', [put({ noun: 'grants', record: toOther })])
    await commit('g2', [{ noun: 'grants', action: 'remove', record: toOther }])
    await commit('e00', [put({ noun: 'principals', record: { ...stranger, revision: 2 } })])
    await commit('e2', [put({ noun: 'keys', record: { ...key, state: 'Disabled', revision: 2 } })])
    await commit('e3', [put({ noun: 'grants', record: { ...aGrant(1, second), revision: 1 } })])
    expect(await commitGrant(decidedAt(1, second.arn))).toBe(8)
  })

  it('conflicts if the log no longer tells what they changed', async () => {
    await commit('e2', [put({ noun: 'keys', record: { ...key, revision: 2 } })])
    await commit('e3', [put({ noun: 'keys', record: { ...key, revision: 3 } })])
    await database.pruneChanges(-1)
    await expect(commitGrant(decidedAt(1, second.arn))).rejects.toThrow(Conflict)
  })
})
