import { mkdtempDisposableSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OperatorError } from '../../../src/errors.ts'
import type { Engine } from '../../../src/storage/engines/engine.ts'
import { sqlite } from '../../../src/storage/engines/sqlite.ts'
import { openDatabase } from '../../../src/storage/kysely-database.ts'
import { migrate, schema } from '../../../src/storage/migrations/migrate.ts'
import type { Migration } from '../../../src/storage/migrations/migration.ts'
import { Changes } from '../../../src/storage/storage.ts'
import type { Database } from '../../../src/storage/tables/database.ts'
import { postgresql, type TestDatabase } from '../../postgresql.ts'
import { expectOnly, putKeys, query } from '../database-files.ts'
import { engineOf, openFile } from '../open.ts'
import {
  account,
  aDestruction,
  aKey,
  aMaterial,
  anAccessKey,
  anAlias,
  anObject,
  aPrincipal,
  aRole,
  aSpareKey,
  aSystemKey,
} from '../records.ts'

describe('a database', () => {
  let directory: string
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'migrate-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  it('is not opened if a newer version wrote it', async () => {
    const path = join(directory, 'newer.db')
    await (await openFile(path, { create: true })).close()
    query(path, 'insert into strongroom_migrations (number) values (999)')
    const opened = openFile(path, { create: true })
    await expect(opened).rejects.toBeInstanceOf(OperatorError)
    await expect(opened).rejects.toThrow(
      `was written by a newer version of Strongroom (schema 999, this version supports ${schema}): upgrade`,
    )
  })

  it('is opened if the newer version that wrote it says that this one can work with it', async () => {
    const path = join(directory, 'expanded.db')
    const storage = await openFile(path, { create: true })
    await putKeys(storage, 1)
    await storage.close()
    const [{ last }] = query(path, 'select max(number) as last from strongroom_migrations') as [{ last: number }]
    query(path, `insert into strongroom_migrations (number, oldest) values (${last + 1}, ${last})`)
    const again = await openFile(path)
    await expectOnly(again, [1])
    await again.close()
    query(path, `insert into strongroom_migrations (number, oldest) values (${last + 2}, ${last + 1})`)
    await expect(openFile(path)).rejects.toThrow('was written by a newer version of Strongroom')
  })

  it('of the first version is migrated, and keeps its records', async () => {
    const path = join(directory, 'first-version.db')
    const storage = await openFile(path, { create: true })
    await putKeys(storage, 1, 2)
    await storage.close()
    backToNinthVersion(path)
    query(path, 'alter table key_materials drop column public_key')
    for (const table of ['key_materials', 'system_keys']) query(path, `alter table ${table} drop column check_value`)
    query(path, 'alter table keys drop column custody_fault')
    for (const table of ['outbox', 'clock']) query(path, `drop table ${table}`)
    addChanges(path)
    query(path, 'delete from strongroom_migrations where number > 1')
    const again = await openFile(path, { create: true })
    await expectOnly(again, [1, 2])
    const key = again.keys.find(aKey(1).arn)!
    const changes = new Changes()
    changes.put('keys', { ...key, materials: [aMaterial(1, { publicKey: new Uint8Array([1, 2]) })] })
    await again.commit(changes)
    await again.close()
    expect(query(path, 'select public_key from key_materials order by key_arn')).toEqual([
      { public_key: new Uint8Array([1, 2]) },
      { public_key: null },
    ])
  })

  it('of one gateway keeps where its journal ended, and its last run', async () => {
    const path = join(directory, 'one-gateway.db')
    await (await openFile(path, { create: true })).close()
    for (const table of ['journals', 'taken_records', 'job_lease', 'encryption_tracking'])
      query(path, `drop table ${table}`)
    query(path, 'alter table outbox drop column change_number')
    for (const column of ['lease', 'renewal']) query(path, `alter table gateways drop column ${column}`)
    query(path, 'delete from strongroom_migrations where number > 28')
    const id = '0f8fad5b-d9cb-469f-a165-70867728950e'
    const run = { version: '1.2.3', settings: {}, stopped: true }
    query(path, `update outbox_position set position = '${id}:1:200 ${id}:1:100'`)
    query(path, `update last_run set run = '${JSON.stringify(run)}'`)
    const storage = await openFile(path)
    const positions = { end: `${id}:1:200`, earliest: `${id}:1:100` }
    const found = { id, isLive: false, registeredAt: 0, positions, head: undefined, run }
    expect(await storage.journals.list()).toEqual([{ ...found, gateway: undefined }])
    await storage.journals.register(id)
    expect(await storage.journals.list()).toEqual([{ ...found, gateway: 'gateway' }])
    await storage.close()
  })

  it('with a log of changes is opened without it, and keeps its records', async () => {
    const path = join(directory, 'sixth-version.db')
    const storage = await openFile(path, { create: true })
    await putKeys(storage, 1, 2)
    const held = { eventId: 'event', position: '1', record: '{}' }
    const changes = new Changes()
    changes.put('aliases', anAlias('one', aKey(1)))
    await storage.commit(changes, held)
    await storage.close()
    backToNinthVersion(path)
    addChanges(path)
    query(path, 'delete from strongroom_migrations where number > 6')
    const again = await openFile(path)
    await expectOnly(again, [1, 2])
    expect(await again.outbox.list()).toEqual([held])
    await again.check()
    await putKeys(again, 3)
    await again.close()
    const tables = query(path, "select name from sqlite_master where type = 'table'").map(({ name }) => name)
    expect(tables).not.toContain('sequences')
    await (await openFile(path)).close()
  })

  it('that knew no roles has only users, without boundary and tags', async () => {
    const path = join(directory, 'ninth-version.db')
    const storage = await openFile(path, { create: true })
    const user = { ...aPrincipal('administrator'), createdAt: undefined }
    const changes = new Changes()
    changes.put('principals', user)
    changes.put('accessKeys', anAccessKey('AKIAPLAIN', user))
    await storage.commit(changes)
    await storage.close()
    backToNinthVersion(path)
    query(path, 'delete from strongroom_migrations where number > 9')
    query(path, `update principals set policies = '${JSON.stringify(['{"Version":"2012-10-17"}'])}'`)
    const again = await openFile(path)
    const inlinePolicies = [{ name: 'policy-1', document: '{"Version":"2012-10-17"}' }]
    expect(again.principals.find(user.arn)).toEqual({ ...user, inlinePolicies, revision: 1 })
    const accessKey = { ...anAccessKey('AKIAPLAIN', user), createdAt: undefined, revision: 1 }
    expect(again.accessKeys.find('AKIAPLAIN')).toEqual(accessKey)
    await again.close()
  })

  it('whose materials all had an HSM object keeps them', async () => {
    const path = join(directory, 'fifteenth-version.db')
    const storage = await openFile(path, { create: true })
    const key = aKey(1, { materials: [aMaterial(1), aMaterial(2, { checkValue: new Uint8Array([1]), hsm: 'second' })] })
    const spare = aSpareKey(anObject(3))
    const changes = new Changes()
    changes.put('keys', key)
    changes.put('systemKeys', aSystemKey('seal', aMaterial(4)))
    changes.put('spareKeys', spare)
    changes.put('destructions', aDestruction(anObject(5), key))
    await storage.commit(changes)
    await storage.close()
    backToFifteenthVersion(path)
    query(path, 'delete from strongroom_migrations where number > 15')
    const again = await openFile(path)
    expect(again.keys.find(key.arn)).toEqual({ ...key, revision: 1 })
    expect(again.systemKeys.find('main', 'seal')).toEqual({ ...aSystemKey('seal', aMaterial(4)), revision: 1 })
    expect(again.spareKeys.find(spare.object.id)).toEqual({ ...spare, revision: 1 })
    expect(again.destructions.list()).toEqual([{ ...aDestruction(anObject(5), key), revision: 1 }])
    await again.close()
  })

  it('that kept policies as texts has an account, administrators by the AWS managed policy, and no stored sessions', async () => {
    const path = join(directory, 'twelfth-version.db')
    const storage = await openFile(path, { create: true })
    const changes = new Changes()
    const user = aPrincipal('administrator')
    const role = aRole('backup')
    changes.put('principals', user)
    changes.put('principals', role)
    changes.put('accessKeys', anAccessKey('AKIAPLAIN', user))
    changes.put('accessKeys', anAccessKey('ASIASESSION', role))
    await storage.commit(changes)
    await storage.close()
    backToTwelfthVersion(path)
    query(path, 'delete from strongroom_migrations where number > 12')
    const full = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    query(path, `update principals set policies = '${JSON.stringify([full])}', permissions_boundary = '${full}'`)
    query(path, "update access_keys set session_token_hash = 'ab' where id like 'ASIA%'")
    const again = await openFile(path)
    const [administrator, session] = [again.principals.find(user.arn)!, again.principals.find(role.arn)!]
    expect(administrator).toMatchObject({ inlinePolicies: [], groups: [] })
    const policies = { policies: [full], permissionsBoundary: full }
    expect([administrator, session].map(one => again.principals.policiesOf(one))).toEqual([policies, policies])
    expect(session).toMatchObject({ maxSessionDuration: 3600, trustPolicy: expect.stringContaining('Deny') })
    expect(again.accounts.all()).toMatchObject([{ id: account }])
    expect(again.accessKeys.find('ASIASESSION')).toBeUndefined()
    expect(again.accessKeys.find('AKIAPLAIN')).toMatchObject({ status: 'Active' })
    await again.close()
  })

  it.each([
    ['duplicated', 'duplicate'],
    ['swapped', 'wrong_key'],
    ['exposed', 'wrong_attributes'],
    ['missing', 'missing'],
  ])('with the custody fault %s has %s', async (before, after) => {
    const path = join(directory, `${before}.db`)
    const storage = await openFile(path, { create: true })
    await putKeys(storage, 1, 2)
    await storage.close()
    backToNinthVersion(path)
    query(path, 'delete from strongroom_migrations where number > 8')
    query(path, `update keys set custody_fault = '${before}' where arn = '${aKey(1).arn}'`)
    const again = await openFile(path)
    expect([1, 2].map(number => again.keys.find(aKey(number).arn)!.custodyFault)).toEqual([after, undefined])
    await again.close()
  })

  it.each([
    ['eusc-de-east-1', 'aws-eusc'],
    ['us-iso-east-1', 'aws-iso'],
    ['us-isob-west-1', 'aws-iso-b'],
    ['eu-isoe-west-1', 'aws-iso-e'],
    ['us-isof-south-1', 'aws-iso-f'],
    ['eu-central-1', 'aws'],
  ])('that took %s for a region of the partition aws gets ARNs of %s', async (region, partition) => {
    const path = join(directory, `${region}.db`)
    const storage = await openFile(path, { create: true })
    const policy = `{"Statement":[{"Principal":{"AWS":["arn:aws:iam::${account}:root","${account}"]}}]}`
    const key = aKey(1, { region, policy })
    const destroyed = { object: aMaterial(2).id, hsm: 'main', keyArn: aKey(2, { region }).arn, revision: 0 }
    const changes = new Changes()
    changes.put('keys', key)
    changes.put('aliases', anAlias('one', key))
    changes.put('destructions', destroyed)
    await storage.commit(changes)
    await storage.close()
    backToNinthVersion(path)
    query(path, 'delete from strongroom_migrations where number > 4')
    query(path, 'drop table clock')
    addChanges(path)
    const again = await openFile(path)
    const right = (arn: string) => arn.replace('arn:aws:', `arn:${partition}:`)
    expect(again.keys.find(right(key.arn))).toMatchObject({
      ...key,
      arn: right(key.arn),
      policy: right(policy),
      revision: 1,
    })
    expect(again.aliases.ofKey(right(key.arn))).toMatchObject([{ arn: right(anAlias('one', key).arn) }])
    await again.close()
    expect(query(path, 'select key_arn from destructions')).toEqual([{ key_arn: right(destroyed.keyArn) }])
  })

  it('is not opened if it belongs to another application, and left unchanged', async () => {
    const path = join(directory, 'foreign.db')
    query(path, 'create table customers (id integer primary key)')
    const before = readFileSync(path)
    await expect(openFile(path, { create: true })).rejects.toThrow(
      new OperatorError(`storage ${path} is the database of another application: set storage.file to another path`),
    )
    expect(query(path, 'select name from sqlite_master')).toEqual([{ name: 'customers' }])
    expect(before.length).toBe(statSync(path).size)
  })
})

/** Removes what the migrations from that of usage on added. */
function backToEighteenthVersion(path: string): void {
  for (const table of ['xks_keys', 'xks_prefixes']) query(path, `drop table ${table}`)
  for (const table of ['custom_key_stores', 'custom_key_store_claims']) query(path, `drop table ${table}`)
  for (const index of ['keys_of_custom_key_store', 'keys_by_id']) query(path, `drop index ${index}`)
  for (const column of ['multi_region', 'pending_window', 'custom_key_store_id', 'xks_key_id'])
    query(path, `alter table keys drop column ${column}`)
  for (const table of ['last_run', 'journals', 'taken_records', 'job_lease', 'encryption_tracking'])
    query(path, `drop table ${table}`)
  query(path, 'alter table outbox drop column change_number')
  for (const column of ['former', 'public_key', 'changes']) query(path, `alter table system_keys drop column ${column}`)
  query(path, 'drop table wrapping_keys')
  for (const table of ['encryption_counts', 'key_uses', 'usage_tracking']) query(path, `drop table ${table}`)
  query(path, 'drop index key_materials_by_id')
}

/** Removes what the migration of former keys added. */
function backToSixteenthVersion(path: string): void {
  for (const table of ['change_number', 'changes', 'gateways']) query(path, `drop table ${table}`)
  backToEighteenthVersion(path)
  for (const column of ['service', 'owned']) query(path, `alter table keys drop column ${column}`)
  for (const column of ['former_keys', 'successor_key_arn']) query(path, `alter table aliases drop column ${column}`)
}

/** Restores the table of materials as it was when each had an HSM object. */
function backToFifteenthVersion(path: string): void {
  backToSixteenthVersion(path)
  for (const table of ['system_keys', 'spare_keys', 'destructions']) {
    query(path, `alter table ${table} rename column object to material`)
  }
  for (const column of ['rotation_period', 'next_rotation_date']) query(path, `alter table keys drop column ${column}`)
  query(path, 'alter table key_materials rename to later')
  query(
    path,
    `create table key_materials (key_arn text not null, position integer not null, id text not null, hsm text not null,
     custody text not null, created_at bigint not null, public_key blob, check_value blob,
     primary key (key_arn, position),
     constraint key_materials_key foreign key (key_arn) references keys (arn) deferrable initially deferred)`,
  )
  query(
    path,
    `insert into key_materials select key_arn, position, id, hsm, custody, created_at, public_key, check_value from later`,
  )
  query(path, 'drop table later')
}

/** Removes what the migration of policies added, and restores what it dropped. */
function backToTwelfthVersion(path: string): void {
  backToFifteenthVersion(path)
  for (const table of [
    'services',
    'accounts',
    'managed_policies',
    'identity_groups',
    'access_key_uses',
    'oidc_providers',
  ]) {
    query(path, `drop table ${table}`)
  }
  query(path, "alter table principals add column policies text not null default '[]'")
  query(path, 'drop index principals_by_name')
  query(path, 'create unique index principals_by_name on principals (account, type, name)')
  for (const [table, column] of [
    ['principals', 'inline_policies'],
    ['principals', 'managed_policies'],
    ['principals', 'groups'],
    ['principals', 'description'],
    ['principals', 'trust_policy'],
    ['principals', 'trust_principals'],
    ['principals', 'max_session_duration'],
    ['principals', 'created_at'],
    ['principals', 'sessions_revoked_before'],
    ['principals', 'owner'],
    ['access_keys', 'status'],
    ['access_keys', 'created_at'],
  ]) {
    query(path, `alter table ${table} drop column ${column}`)
  }
  query(path, 'alter table access_keys add column session_token_hash text')
  query(path, 'alter table access_keys add column expires_at bigint')
  query(path, 'alter table access_keys add column session text')
}

/** Removes what later versions added. */
function backToNinthVersion(path: string): void {
  backToTwelfthVersion(path)
  for (const table of ['grants', 'spare_keys']) query(path, `drop table ${table}`)
  for (const index of ['principals_by_name', 'principals_by_id']) query(path, `drop index ${index}`)
  query(path, 'alter table principals rename column name to user_name')
  for (const [table, column] of [
    ['principals', 'type'],
    ['principals', 'permissions_boundary'],
    ['principals', 'tags'],
    ['access_keys', 'session'],
    ['keys', 'policy_principals'],
  ]) {
    query(path, `alter table ${table} drop column ${column}`)
  }
}

/** The tables that the first six versions had for changes, which the seventh dropped. */
function addChanges(path: string): void {
  for (const table of ['write_check', 'outbox_position']) query(path, `drop table ${table}`)
  query(path, 'create table changes (sequence bigint primary key, event_id text, noun text, record_key text)')
  query(path, 'create table sequences (name text primary key, value bigint)')
  query(path, "insert into changes values (1, 'event', 'keys', 'arn')")
  query(path, "insert into sequences values ('changes', 1)")
}

describe('a migration of the next version', () => {
  const column: Migration = async db => {
    await db.schema.alterTable('keys').addColumn('of_next', 'text').execute()
  }
  const nothing: Migration = async () => {}
  /** Migrates as a later version with further migrations does, some of which it declares. */
  async function upgrade(engine: Engine, further: readonly Migration[], declared: readonly number[]): Promise<void> {
    const migrations = [...Array<Migration>(schema).fill(nothing), ...further]
    const expansions = new Set(declared.map(number => schema + number))
    const connections = engine.connect<Database>()
    await connections
      .migrate(tx => migrate(tx, engine, migrations.length, { migrations, expansions }))
      .finally(() => connections.close())
  }

  it.each<[string, (database: TestDatabase, path: string) => Engine]>([
    ['SQLite', (_, path) => sqlite(path, { create: true, fleet: true })],
    ['PostgreSQL', database => engineOf(database)],
  ])('lets this one go on, and start again, only if it is declared, on %s', async (_, engineIn) => {
    const database = await (await postgresql()).createDatabase()
    using folder = mkdtempDisposableSync(join(tmpdir(), 'migrate-'))
    const path = join(folder.path, 'storage.db')
    // A SQLite engine is of one opening.
    const engine = () => engineIn(database, path)
    const position = { number: 0, eventId: undefined }
    const former = await openDatabase(engine())
    await former.renewLease({ gateway: 'a', run: 'r', position, milliseconds: 600_000, renewal: 1, state: '{}' })
    if (engine().schema === undefined) await former.close()
    // Beside a gateway of this version.
    await expect(upgrade(engine(), [column], [])).rejects.toThrow(/in use by the gateways a, which this version cannot/)
    await upgrade(engine(), [column], [1])
    const again = await openDatabase(engine())
    const record = { ...aKey(1), revision: 1 }
    await again.commit({ gateway: 'a', run: 'r', changes: [{ noun: 'keys', action: 'put', record }], records: [] })
    await again.endLease('a')
    await again.close()
    // And one after that: the oldest that can work with both, then none.
    await upgrade(engine(), [column, nothing], [1, 2])
    await (await openDatabase(engine())).close()
    await upgrade(engine(), [column, nothing, nothing], [1, 2])
    await expect(openDatabase(engine())).rejects.toThrow('was written by a newer version of Strongroom')
    if (engine().schema !== undefined) await former.close()
  })
})
