/** The log of commits and the leases, through the contract of SqlDatabase. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { openDatabase, type SqlDatabase } from '../../src/storage/sql-database.ts'
import { type Change, Conflict } from '../../src/storage/storage.ts'
import { aGrant, aKey, anAlias } from './records.ts'

let database: SqlDatabase

beforeEach(async () => {
  database = await openDatabase(sqlite(':memory:', { create: true, fleet: true }))
})
afterEach(() => database.close())

const key = { ...aKey(1), revision: 1 }
const puts = (...changes: Change[]) => changes
const put = (change: Omit<Change, 'action'>) => ({ ...change, action: 'put' }) as Change

function commit(eventId: string, changes: Change[], gateway = 'a'): Promise<number> {
  return database.commit({ gateway, changes, records: [{ eventId, position: '', record: '{}' }] })
}

describe('the change log', () => {
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

describe('a lease', () => {
  const request = { gateway: 'a', run: 'r1', applied: 0, milliseconds: 60_000, state: '{}' }

  it('is granted in the clock of the database, with the last change at that time', async () => {
    await commit('e1', [put({ noun: 'keys', record: key })])
    expect(await database.renewLease(request)).toEqual({ number: 1, eventId: 'e1' })
    await database.acknowledge('a', 'r1', 1)
    const [member] = await database.members()
    expect(member).toMatchObject({ gateway: 'a', run: 'r1', applied: 1, state: '{}' })
    expect(member!.leaseLeft).toBeGreaterThan(0)
    expect(member!.leaseLeft).toBeLessThanOrEqual(60_000)
  })

  it('is not granted to another run of the same gateway until it has ended', async () => {
    await database.renewLease(request)
    const joinedAt = (await database.members())[0]!.joinedAt
    await expect(database.renewLease({ ...request, run: 'r2' })).rejects.toThrow(Conflict)
    await database.endLease('a', 'r2')
    await expect(database.renewLease({ ...request, run: 'r2' })).rejects.toThrow(Conflict)
    await database.renewLease({ ...request, applied: 3 })
    expect(await database.members()).toMatchObject([{ run: 'r1', applied: 3, joinedAt }])
    await database.endLease('a', 'r1')
    expect(await database.members()).toMatchObject([{ run: 'r1', leaseLeft: 0 }])
    await database.renewLease({ ...request, run: 'r2' })
    await database.acknowledge('a', 'r1', 9)
    expect(await database.members()).toMatchObject([{ run: 'r2', applied: 0 }])
  })
})
