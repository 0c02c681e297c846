/** One database for several processes: who is told of what. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Answer } from '../../src/remote-objects.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import type { SqlDatabase } from '../../src/storage/sql-database.ts'
import { SharedDatabase, type Sharer } from '../../src/supervisor/shared-database.ts'
import { aKey } from '../storage/records.ts'

const position = { number: 0, eventId: undefined }
const lease = { gateway: 'b', run: 'r', position, milliseconds: 60_000, renewal: 1, state: '{}' }
const changes = [{ noun: 'keys', action: 'put', record: { ...aKey(1), revision: 1 } }]

let shared: SharedDatabase
let one: Sharer
let answers: Answer[]
let told: string[]

beforeEach(async () => {
  ;[answers, told] = [[], []]
  shared = new SharedDatabase(await openDatabase(sqlite(':memory:', { create: true, fleet: true })))
  one = shared.join(
    answer => void answers.push(answer),
    () => void told.push('one'),
  )
  shared.join(
    () => {},
    () => void told.push('other'),
  )
})
afterEach(() => shared.close())

describe('the other processes', () => {
  it.each<[keyof SqlDatabase, ...unknown[]]>([
    ['commit', { gateway: 'a', changes, records: [] }],
    ['renewLease', lease],
    ['acknowledge', 'b', 'r', position],
    ['endLease', 'b'],
    ['removeGateway', 'b'],
  ])('are told of %s', async (method, ...args) => {
    await one.call({ id: 1, method, args })
    expect(answers).toEqual([expect.not.objectContaining({ error: expect.anything() })])
    expect(told).toEqual(['other'])
  })

  it('are told of the end of a lease of a process that has ended, and not of what changes nothing', async () => {
    await one.call({ id: 1, method: 'members', args: [] })
    expect(told).toEqual([])
    await shared.endLease('b')
    expect(told).toEqual(['one', 'other'])
  })
})
