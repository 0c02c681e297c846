/** Whole storages, read and written by commands while no gateway has them. */
import type { Kysely } from 'kysely'
import { OperatorError } from '../../errors.ts'
import type { Engine } from '../engines/engine.ts'
import { explained } from '../kysely-database.ts'
import { checkEmpty, schema as currentSchema, migrate } from '../migrations/migrate.ts'
import { awaitCommits } from '../tables/changes.ts'
import type { Database } from '../tables/database.ts'
import { members } from '../tables/gateways.ts'
import { type AnyDatabase, dump, type Sums } from './dump.ts'
import { load } from './load.ts'

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
 * gateway has a lease.
 */
export function copy(from: Engine, to: Engine): Promise<Sums> {
  return exclusively(from, async source => {
    await migrate(source, from)
    // One that has lost its lease may still have a commit on its way, and get another lease meanwhile.
    await awaitCommits(source)
    const serving = (await members(source, from.now)).filter(({ leaseLeft }) => leaseLeft > 0)
    if (serving.length > 0) {
      const names = serving.map(({ gateway }) => gateway).join(', ')
      throw new OperatorError(`${from.name} is in use by the gateways ${names}: stop them first`)
    }
    return fill(to, { schema: currentSchema, dump: () => dump(source) })
  })
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
