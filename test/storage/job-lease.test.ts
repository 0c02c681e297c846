/** The lease of the jobs, between gateways on one PostgreSQL server. */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditRecord } from '../../src/audit/entry.ts'
import { fencedOutbox, JobLease } from '../../src/jobs/job-lease.ts'
import { Outbox } from '../../src/outbox.ts'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import { openStorage } from '../../src/storage/sql-storage.ts'
import { Changes, Conflict, type Storage } from '../../src/storage/storage.ts'
import { journalInto } from '../audit/records.ts'
import { postgresql, type TestDatabase } from '../postgresql.ts'
import { engineOf } from './open.ts'
import { aKey } from './records.ts'

interface Gateway {
  readonly storage: Storage
  readonly lease: JobLease
  readonly outbox: Outbox
  readonly event: () => AuditRecord
}

const log = { error() {}, warn() {}, info() {} }
let database: TestDatabase
let one: Gateway
let other: Gateway

async function gateway(name: string): Promise<Gateway> {
  const fleet = { run: name, lease: 30_000, clock: Date.now, elapsed: () => performance.now(), state: () => '{}' }
  const storage = await openStorage(await openDatabase(engineOf(database)), { now: Date.now(), gateway: name, fleet })
  const journal = journalInto([], randomUUID())
  const audit = createAudit(journal, Date.now, 'kms.amazonaws.com')
  const outbox = await Outbox.open(storage, journal, { gateway: name })
  const lease = new JobLease({ jobLease: storage.jobLease, log })
  return { storage, lease, outbox, event: () => audit.event('RotateKey', undefined, {}) }
}

beforeEach(async () => {
  database = await (await postgresql()).createDatabase()
  one = await gateway('one')
  other = await gateway('other')
})
afterEach(async () => {
  await Promise.all([one.storage.close(), other.storage.close()])
  await database.drop()
})

/** As of a server that no longer hears from its client. */
async function endLockSession(): Promise<void> {
  const ended = await database.sql(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
       and database = (select oid from pg_database where datname = current_database())`,
  )
  expect(ended).toHaveLength(1)
}

describe('the lease of the jobs', () => {
  it('is that of one gateway, however many ask at once, until it gives it back', async () => {
    await Promise.all([one, other, one, other].map(({ lease }) => lease.follow()))
    const [holder, waiting] = one.lease.fence === undefined ? [other, one] : [one, other]
    expect([holder.lease.fence, waiting.lease.fence]).toEqual([1, undefined])
    await Promise.all([holder, waiting, holder].map(({ lease }) => lease.follow()))
    expect([holder.lease.fence, waiting.lease.fence]).toEqual([1, undefined])
    const runJobs = (await waiting.storage.fleet.members()).filter(({ runsJobs }) => runsJobs)
    expect(runJobs.map(({ gateway }) => gateway)).toEqual([holder.storage.fleet.gateway])
    // What a gateway ends of another one is not its own lock.
    await holder.storage.fleet.remove(waiting.storage.fleet.gateway)
    await Promise.all([holder, waiting].map(({ lease }) => lease.follow()))
    expect([holder.lease.fence, waiting.lease.fence]).toEqual([1, undefined])
    await holder.lease.close()
    await waiting.lease.follow()
    expect([holder.lease.fence, waiting.lease.fence]).toEqual([undefined, 2])
  })

  it('is independent of that of another storage in the same database', async () => {
    await database.sql('create schema second authorization strongroom')
    const engine = engineOf(database, { schema: 'second' })
    const second = await openStorage(await openDatabase(engine), { now: 0, gateway: 'one' })
    await one.lease.follow()
    expect([one.lease.fence, await second.jobLease.take()]).toEqual([1, 1])
    await second.close()
  })

  it('moves when its session is lost, and whatever a stalled holder goes on to write is refused', async () => {
    await one.lease.follow()
    const stale = fencedOutbox(one.outbox, one.lease, 1)
    const reading = { wall: 1, trusted: true, observed: 0, drift: 0, gap: 0 }
    await endLockSession()
    await expect.poll(async () => other.lease.follow().then(() => other.lease.fence), { timeout: 10_000 }).toBe(2)
    // It has not looked since.
    expect(one.lease.fence).toBe(1)
    const putKey = (number: number) => {
      const changes = new Changes()
      changes.put('keys', aKey(number))
      return changes
    }
    const before = await other.storage.lastChange()
    await expect(stale.record(putKey(1), one.event())).rejects.toThrow(Conflict)
    await expect(one.storage.clock.write(reading, 1)).rejects.toThrow(Conflict)
    const undone: string[] = []
    // It stalls in the middle of an act: what it did on the HSM is undone.
    const act = one.outbox.act(
      one.event(),
      async changes => {
        changes.fence = 1
        changes.put('keys', aKey(2))
        return one.event()
      },
      async () => void undone.push('undone'),
    )
    await expect(act).rejects.toThrow(Conflict)
    expect(undone).toEqual(['undone'])
    // Before the next act it asks.
    let acted = false
    const next = stale.act(one.event(), async () => {
      acted = true
      return one.event()
    })
    await expect(next).rejects.toThrow(Conflict)
    expect([acted, one.lease.fence]).toEqual([false, undefined])
    expect(await other.storage.lastChange()).toBe(before)
    expect((await other.storage.clock.read()).reading).toBeUndefined()
    await fencedOutbox(other.outbox, other.lease, 2).record(putKey(3), other.event())
    expect(await other.storage.lastChange()).toBe(before + 1)
  })
})
