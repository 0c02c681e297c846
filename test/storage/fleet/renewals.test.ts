/** What a gateway shows once it has got a lease, whatever was committed while it did. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { expect, it } from 'vitest'
import { sqlite } from '../../../src/storage/engines/sqlite.ts'
import { openDatabase } from '../../../src/storage/kysely-database.ts'
import type { SqlDatabase } from '../../../src/storage/sql-database.ts'
import { openStorage } from '../../../src/storage/sql-storage.ts'
import { Changes, type Storage } from '../../../src/storage/storage.ts'
import { postgresql } from '../../postgresql.ts'
import { engineOf } from '../open.ts'
import { aKey } from '../records.ts'

const lease = 30_000

function open(gateway: string, database: SqlDatabase, elapsed = () => performance.now()): Promise<Storage> {
  const fleet = { run: gateway, lease, clock: Date.now, elapsed, state: () => '{}' }
  return openStorage(database, { now: 0, gateway, fleet })
}

function put(storage: Storage, number: number): Promise<unknown> {
  const changes = new Changes()
  changes.put('keys', aKey(number))
  return storage.commit(changes, { eventId: `event-${number}`, position: '', record: '{}' })
}

/** Makes the transaction that gives b its lease wait when it has done all but commit. */
const trap = `
  create function wait_for_a() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock(42); return null; end $$;
  create constraint trigger trap after insert or update on gateways deferrable initially deferred
    for each row when (new.name = 'b') execute function wait_for_a()`

it('includes what was committed and answered while the lease was on its way', async () => {
  const place = await (await postgresql()).createDatabase()
  const a = await open('a', await openDatabase(engineOf(place)))
  await place.sql(trap)
  const holder = new Client({ ...place })
  await holder.connect()
  await holder.query('select pg_advisory_lock(42)')
  const starting = open('b', await openDatabase(engineOf(place)))
  const waits = `select from pg_locks where locktype = 'advisory' and not granted`
  while ((await holder.query(waits)).rowCount === 0) await sleep(5)
  await put(a, 1)
  expect(await a.fleet.settled()).not.toBe(false)
  await holder.end()
  const b = await starting
  expect(b.fleet.mayServe).toBe(true)
  expect(b.keys.find(aKey(1).arn)).toBeDefined()
  await Promise.all([a.close(), b.close()])
  await place.drop()
})

it('is of the database that gave the lease, if that has another commit of the last number', async () => {
  const [former, next] = [1, 2].map(() => openDatabase(sqlite(':memory:', { create: true, fleet: true })))
  let database = await former!
  let elapsed = 0
  let gate: Promise<void> | undefined
  let renewals = 0
  const call = async (method: keyof SqlDatabase, ...args: never[]) => {
    if (method === 'changesAfter') await gate
    const answer = await (database[method] as (...args: never[]) => unknown)(...args)
    if (method === 'renewLease') renewals++
    return answer
  }
  const path = new Proxy(database, {
    get: (_, method) => (method === 'watch' ? () => {} : call.bind(undefined, method as keyof SqlDatabase)),
  })
  const a = await open('a', path, () => performance.now() + elapsed)
  await put(a, 1)
  const b = await open('b', await next!)
  await put(b, 2)
  const opened = Promise.withResolvers<void>()
  gate = opened.promise
  elapsed = lease
  database = await next!
  renewals = 0
  while (renewals === 0) await sleep(5)
  expect(a.fleet.mayServe).toBe(false)
  opened.resolve()
  while (!a.fleet.mayServe) await sleep(5)
  expect(a.keys.all().map(({ id }) => id)).toEqual([aKey(2).id])
  await b.close()
})
