/** When the gateways of a fleet commit. */
import { Client } from 'pg'
import { expect, vi } from 'vitest'
import type { PostgresqlServer } from '../postgresql.ts'
import type { Fleet } from './fleet.ts'

/** Nothing is committed meanwhile; then in the order in which it was queued. */
export async function whileLocked(
  { database: { database } }: Fleet,
  { folder: host, port }: PostgresqlServer,
  work: () => Promise<void>,
): Promise<void> {
  const session = new Client({ host, port, user: 'postgres', database })
  await session.connect()
  try {
    await session.query('begin; update change_number set last = last')
    await work()
  } finally {
    await session.end()
  }
}

/** Resolves when so many commits wait for their turn: one of each gateway at most. Jobs that only wait for commits take no number. */
export async function queued({ database }: Fleet, count: number): Promise<void> {
  const waiting = `select from pg_stat_activity where wait_event_type = 'Lock'
    and datname = current_database() and query like '%update "change_number" set "last" = "last" + 1%'`
  const isQueued = async () => expect((await database.sql(waiting)).length).toBeGreaterThanOrEqual(count)
  await vi.waitFor(isQueued, { timeout: 20_000, interval: 20 })
}

/**
 * Sends a request to each gateway in turn, and lets none be committed before all are decided; then in their order.
 *
 * @param works one for each gateway at most
 */
export async function decidedAtOnce<T>(
  fleet: Fleet,
  server: PostgresqlServer,
  works: readonly (() => Promise<T>)[],
): Promise<T[]> {
  const answers: Promise<T>[] = []
  await whileLocked(fleet, server, async () => {
    for (const work of works) {
      answers.push(work())
      await queued(fleet, answers.length)
    }
  })
  return Promise.all(answers)
}
