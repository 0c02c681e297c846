/** Migrates a database to the current schema. Forward only. */
import { type Kysely, sql } from 'kysely'
import { OperatorError } from '../../errors.ts'
import type { Engine } from '../engines/engine.ts'
import { awaitCommits } from '../tables/changes.ts'
import type { Database } from '../tables/database.ts'
import { initial } from './0001-initial.ts'
import { publicKeys } from './0002-public-keys.ts'
import { custody } from './0003-custody.ts'
import { outbox } from './0004-outbox.ts'
import { partitions } from './0005-partitions.ts'
import { clock } from './0006-clock.ts'
import { writeCheck } from './0007-write-check.ts'
import { outboxPosition } from './0008-outbox-position.ts'
import { custodyFaults } from './0009-custody-faults.ts'
import { identities } from './0010-identities.ts'
import { grants } from './0011-grants.ts'
import { spareKeys } from './0012-spare-keys.ts'
import { policies } from './0013-policies.ts'
import { oidcProviders } from './0014-oidc-providers.ts'
import { services } from './0015-services.ts'
import { materials } from './0016-materials.ts'
import { formerKeys } from './0017-former-keys.ts'
import { serviceKeys } from './0018-service-keys.ts'
import { usage } from './0019-usage.ts'
import { wrappingKeys } from './0020-wrapping-keys.ts'
import { formerSystemKeys } from './0021-former-system-keys.ts'
import { lastRun } from './0022-last-run.ts'
import { auditKeys } from './0023-audit-keys.ts'
import { keyPlaces } from './0024-key-places.ts'
import { xks } from './0025-xks.ts'
import { customKeyStores } from './0026-custom-key-stores.ts'
import { relatedKeys } from './0027-related-keys.ts'
import { changeLog } from './0028-change-log.ts'
import { journals } from './0029-journals.ts'
import { jobLease } from './0030-job-lease.ts'
import { renewals } from './0031-renewals.ts'
import type { Migration } from './migration.ts'

/** Number n in the migration table is at index n - 1. */
const migrations: readonly Migration[] = [
  initial,
  publicKeys,
  custody,
  outbox,
  partitions,
  clock,
  writeCheck,
  outboxPosition,
  custodyFaults,
  identities,
  grants,
  spareKeys,
  policies,
  oidcProviders,
  services,
  materials,
  formerKeys,
  serviceKeys,
  usage,
  wrappingKeys,
  formerSystemKeys,
  lastRun,
  auditKeys,
  keyPlaces,
  xks,
  customKeyStores,
  relatedKeys,
  changeLog,
  journals,
  jobLease,
  renewals,
]

/**
 * Numbers of migrations that only add what the version before does without (expand): see CONTRIBUTING.md. It can then go on, and be started
 * again, during a rolling upgrade. What they replace is removed by a migration of a later version (contract), which is not declared.
 */
const expansions: ReadonlySet<number> = new Set([31])

/** The migration that created what every commit locks first. */
const firstWithCommitLock = 28

interface MigrationTable {
  readonly strongroom_migrations: {
    readonly number: number
    /** The oldest schema whose version can work with this one. Null: only this one. */
    readonly oldest: number | null
  }
}

/** What a version knows. */
export interface Steps {
  readonly migrations: readonly Migration[]
  readonly expansions: ReadonlySet<number>
}

/** The number of the last migration of this version. */
export const schema = migrations.length

/**
 * All outstanding steps. Throws OperatorError for a foreign database, and for one of a newer version that this one cannot work with.
 *
 * @param transaction which no other process migrates in
 * @param last the number of the last step, if not all
 * @param steps of this version
 */
export async function migrate<D>(
  transaction: Kysely<D>,
  engine: Engine,
  last = schema,
  steps: Steps = { migrations, expansions },
): Promise<void> {
  const { migrations, expansions } = steps
  const tx = transaction as unknown as Kysely<MigrationTable>
  const done = await appliedMigrations(tx, engine)
  if (done > migrations.length) {
    if ((await oldestOf(tx)) <= migrations.length) {
      process.emitWarning(`${engine.name} was written by a newer version of Strongroom: upgrade this one`)
      return
    }
    throw new OperatorError(
      `${engine.name} was written by a newer version of Strongroom (schema ${done}, this version supports ${migrations.length}): upgrade`,
    )
  }
  // Other gateways may serve: it waits for their commits, and they wait for it, before any of them has locked a table.
  if (done >= firstWithCommitLock && done < last) {
    await awaitCommits(tx as unknown as Kysely<Database>)
    const isExpansion = migrations.slice(done, last).every((_, index) => expansions.has(done + 1 + index))
    if (!isExpansion) await checkUnused(tx, engine)
  }
  for (let number = done + 1; number <= last; number++) {
    await migrations[number - 1]!(tx as unknown as Kysely<unknown>, engine.types)
    const oldest = expansions.has(number) ? await oldestOf(tx) : null
    await tx.insertInto('strongroom_migrations').values({ number, oldest }).execute()
  }
}

/** Throws OperatorError if gateways serve, whose version cannot work with what will be there: as far as the clock of the database is right. */
async function checkUnused(tx: Kysely<MigrationTable>, engine: Engine): Promise<void> {
  const serving = (tx as unknown as Kysely<Database>).selectFrom('gateways').where('lease_until', '>', engine.now)
  const names = (await serving.select('name').orderBy('name').execute()).map(({ name }) => name)
  if (names.length > 0)
    throw new OperatorError(
      `${engine.name} is in use by the gateways ${names.join(', ')}, which this version cannot work beside: stop them first`,
    )
}

/** There is no storage in the database: it is new, or what was to fill it did not end. */
export class EmptyDatabase extends OperatorError {}

/** Throws OperatorError if the database has tables, whosever they are. */
export async function checkEmpty<D>(db: Kysely<D>, engine: Engine): Promise<void> {
  if ((await tablesOf(db, engine)).length > 0) throw new OperatorError(`${engine.name} is not empty`)
}

async function tablesOf<D>(db: Kysely<D>, engine: Engine) {
  const tables = await db.introspection.getTables()
  return tables.filter(({ schema, isView }) => schema === engine.schema && !isView)
}

async function appliedMigrations(tx: Kysely<MigrationTable>, engine: Engine): Promise<number> {
  const tables = await tablesOf(tx, engine)
  const own = tables.find(table => table.name === 'strongroom_migrations')
  if (own !== undefined) {
    if (!own.columns.some(({ name }) => name === 'oldest')) {
      await tx.schema.alterTable('strongroom_migrations').addColumn('oldest', 'integer').execute()
    }
    const { last } = await tx
      .selectFrom('strongroom_migrations')
      .select(sql<number>`coalesce(max(number), 0)`.as('last'))
      .executeTakeFirstOrThrow()
    return last
  }
  if (tables.length > 0)
    throw new OperatorError(`${engine.name} is the database of another application: ${engine.elsewhere}`)
  if (!engine.creates) throw new EmptyDatabase(`${engine.name} is empty: restore it from a backup`)
  if (engine.schema !== undefined) await createSchema(tx, engine.schema)
  await tx.schema
    .createTable('strongroom_migrations')
    .addColumn('number', 'integer', column => column.primaryKey())
    .addColumn('oldest', 'integer')
    .execute()
  return 0
}

/** Only if it is missing: the role may have no right to create one. */
async function createSchema(tx: Kysely<MigrationTable>, schema: string): Promise<void> {
  const schemas = await tx.introspection.getSchemas()
  if (!schemas.some(({ name }) => name === schema)) await tx.schema.createSchema(schema).execute()
}

/** The oldest schema whose version can work with the present one. */
async function oldestOf(tx: Kysely<MigrationTable>): Promise<number> {
  const { number, oldest } = await tx
    .selectFrom('strongroom_migrations')
    .selectAll()
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
  return oldest ?? number
}
