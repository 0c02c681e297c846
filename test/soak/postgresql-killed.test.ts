import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import type { SqlDatabase } from '../../src/storage/sql-database.ts'
import type { Change } from '../../src/storage/storage.ts'
import { ownPostgresql } from '../postgresql.ts'
import { engineOf } from '../storage/open.ts'
import { aKey } from '../storage/records.ts'

function putKey(number: number, storage: SqlDatabase): Promise<number> {
  const change = { noun: 'keys', action: 'put', record: { ...aKey(number), revision: 1 } } as Change
  const records = [{ eventId: `event-${number}`, position: '', record: '{}' }]
  return storage.commit({ gateway: 'a', changes: [change], records } as never)
}

it('a server that is killed and started again has every commit that was answered', async () => {
  await using server = await ownPostgresql()
  const fresh = await server.createDatabase()
  const opened = await openDatabase(engineOf(fresh))
  const answered: number[] = []
  const committing = (async () => {
    for (let number = 1; number <= 60; number++) {
      const outcome = await putKey(number, opened).catch(() => undefined)
      if (outcome === undefined) await sleep(50)
      else answered.push(number)
    }
  })()
  await expect.poll(() => answered.length).toBeGreaterThan(5)
  await server.kill()
  await server.start()
  await committing
  const rows = await fresh.sql('select event_id from changes order by number')
  const committed = new Set(rows.map(({ event_id }) => event_id))
  for (const number of answered) expect(committed).toContain(`event-${number}`)
  await expect.poll(() => putKey(1000, opened).catch(() => 0)).toBeGreaterThan(0)
  await opened.close()
})
