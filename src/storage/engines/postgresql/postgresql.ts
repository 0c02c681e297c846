/** PostgreSQL: one database for a fleet of gateways. */
import { sql } from 'kysely'
import type { Engine } from '../engine.ts'
import { PostgresqlConnections } from './connections.ts'
import { conflicts, explain } from './errors.ts'
import type { PostgresqlOptions } from './session.ts'

export function postgresql(options: PostgresqlOptions, { create = false } = {}): Engine {
  const { user, host, port, database, schema } = options
  return {
    name: `storage ${user}@${host}:${port}/${database}`,
    types: { text: sql`text collate "C"`, bytes: 'bytea' },
    now: sql<number>`(extract(epoch from clock_timestamp()) * 1000)::int8`,
    fleet: true,
    creates: create,
    schema,
    elsewhere: 'set storage.postgres.schema or database to another',
    connect: () => new PostgresqlConnections(options),
    conflicts,
    explain: error => explain(error instanceof Error && error.name === 'Failure' ? error.cause : error),
  }
}
