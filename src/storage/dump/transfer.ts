/** Whole storages, read and written by commands while no gateway has them. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { OperatorError } from '../../errors.ts'
import type { Engine } from '../engines/engine.ts'
import { isSameRenewal, Leases } from '../fleet/leases.ts'
import { explained } from '../kysely-database.ts'
import { checkEmpty, schema as currentSchema, migrate } from '../migrations/migrate.ts'
import type { Member } from '../storage.ts'
import { awaitCommits } from '../tables/changes.ts'
import type { Database } from '../tables/database.ts'
import { endLease, members } from '../tables/gateways.ts'
import { type AnyDatabase, dump, type Sums } from './dump.ts'
import { load } from './load.ts'

/** Milliseconds between looks at leases. */
const leaseInterval = 1000

export interface NewContent {
  /** Number of the last migration that the dump has seen. */
  readonly schema: number
  /** Lines, some at a time; from the start at each call. */
  dump(): AsyncIterable<readonly string[]>
  /** Changes what was written, before it is committed. */
  finish?(db: Kysely<Database>): Promise<void>
}

/**
 * Writes a dump into an empty database, brings it to the current schema, and compares it with the sums of the dump: all in one transaction,
 * so that a database is complete, or still empty. Throws OperatorError.
 */
export function fill(engine: Engine, { schema, dump, finish }: NewContent): Promise<Sums> {
  return exclusively(engine, async tx => {
    await checkEmpty(tx, engine)
    await migrate(tx, engine, schema)
    const sums = await load(tx as unknown as Kysely<AnyDatabase>, dump())
    await migrate(tx, engine)
    await finish?.(tx)
    return sums
  })
}

/**
 * Copies a storage to an empty database of any engine, which is complete afterwards, or still empty. Throws OperatorError, also if a
 * gateway has a lease: for one that was not given back it waits.
 *
 * @param elapsed milliseconds, monotonic
 */
export async function copy(from: Engine, to: Engine, elapsed: () => number): Promise<Sums> {
  if (from.fleet) await awaitLeases(from, new Leases(elapsed))
  return exclusively(from, async source => {
    await migrate(source, from)
    // One that has lost its lease may still have a commit on its way, and get another lease meanwhile.
    await awaitCommits(source)
    // Of an embedded database, nobody else has the file.
    if (from.fleet)
      checkUnused(
        from,
        (await members(source, from.now)).filter(({ holdsLease }) => holdsLease),
      )
    await source.updateTable('gateways').set({ lease_until: 0 }).execute()
    return fill(to, { schema: currentSchema, dump: () => dump(source) })
  })
}

/** Ends the leases that gateways have not given back, once they have certainly ended. */
async function awaitLeases(engine: Engine, leases: Leases): Promise<void> {
  let first: readonly Member[] | undefined
  const look = async (tx: Kysely<Database>) => {
    await migrate(tx, engine)
    const held = leases.note(await members(tx, engine.now))
    first ??= held
    const before = first
    const isRenewed = (lease: Member) => !before.some(other => isSameRenewal(other, lease))
    checkUnused(engine, held.filter(isRenewed))
    for (const lease of leases.ended) await endLease(tx, lease.gateway, lease)
    return leases.ended.length === held.length
  }
  while (!(await exclusively(engine, look))) await sleep(leaseInterval)
}

function checkUnused({ name }: Engine, gateways: readonly Member[]): void {
  if (gateways.length === 0) return
  const names = gateways.map(({ gateway }) => gateway).join(', ')
  throw new OperatorError(`${name} is in use by the gateways ${names}: stop them first`)
}

async function exclusively<T>(engine: Engine, work: (tx: Kysely<Database>) => Promise<T>): Promise<T> {
  const connections = engine.connect<Database>()
  try {
    return await connections.migrate(work)
  } catch (error) {
    throw explained(engine, error)
  } finally {
    await connections.close()
  }
}
