import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { OperatorError } from '../../src/errors.ts'
import { type PostgresqlOptions, prepareSession } from '../../src/storage/engines/postgresql/session.ts'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import { migrate, schema } from '../../src/storage/migrations/migrate.ts'
import { type PostgresqlServer, postgresql, type TestDatabase } from '../postgresql.ts'
import { TcpProxy } from '../tcp-proxy.ts'
import { engineOf } from './open.ts'

/** How a PostgreSQL database is opened, and what the operator is told when it cannot be. */

let server: PostgresqlServer
let database: TestDatabase
beforeAll(async () => {
  server = await postgresql()
  database = await server.createDatabase()
})
afterAll(() => database.drop())

/** @returns the message, without the name of the storage */
async function refusal(options: Partial<PostgresqlOptions> = {}, create = true): Promise<string> {
  const engine = engineOf(database, options, create)
  const error: unknown = await openDatabase(engine).then(
    database => database.close(),
    error => error,
  )
  expect(error).toBeInstanceOf(OperatorError)
  const { message } = error as OperatorError
  expect(message).not.toContain(database.password)
  expect(message.slice(0, engine.name.length)).toBe(engine.name)
  return message.slice(engine.name.length + 1)
}

const tls = (files: { cert?: Buffer; key?: Buffer; ca?: Buffer } = {}, verifyHost = true) => ({
  tls: { verifyHost, files: () => ({ ca: readFileSync(server.caFile), ...files }) },
})

describe('a database that cannot be opened', () => {
  it.each<readonly [string, string, () => Partial<PostgresqlOptions> | Promise<Partial<PostgresqlOptions>>]>([
    [
      'has another password',
      'refuses the connection: password authentication failed for user "strongroom"',
      () => ({ password: () => 'another' }),
    ],
    [
      'asks for a password that is not given',
      'asks for a password: set passwordFile or passwordVariable',
      () => ({ password: () => '' }),
    ],
    ['does not exist', 'cannot be opened: there is no such database', () => ({ database: 'none' })],
    ['has nothing that listens', 'cannot be reached: nothing listens there', () => ({ port: 1 })],
    [
      'is on a host without an address',
      'cannot be reached: its host name does not exist',
      () => ({ host: 'database.invalid' }),
    ],
    ['has no Unix socket', 'cannot be reached: there is no such Unix socket', () => ({ host: '/nowhere' })],
    [
      'is on a server that is not trusted',
      'is not trusted: its certificate is self-signed, and not in tls.caFile',
      () => tls({ ca: readFileSync(server.client.certificateFile) }),
    ],
    [
      'has the certificate of another host',
      'is not trusted: its certificate is for another host',
      () => ({ host: '127.1', ...tls() }),
    ],
    [
      'wants a certificate that is not given',
      'refuses the connection: connection requires a valid client certificate',
      () => ({ user: 'certified', ...tls() }),
    ],
  ])('%s', async (_, message, options) => {
    expect(await refusal(await options())).toBe(message)
  })

  it('is on a server without TLS', async () => {
    const plain = createServer(socket => socket.on('data', () => socket.end('N'))).listen(0, '127.0.0.1')
    const { port } = await new Promise<{ port: number }>(resolve =>
      plain.on('listening', () => resolve(plain.address() as { port: number })),
    )
    expect(await refusal({ port, ...tls() })).toBe('cannot be reached: the server does not support TLS')
    plain.close()
  })

  it('does not answer', async () => {
    await using proxy = await TcpProxy.to(server)
    proxy.stall()
    expect(await refusal({ port: proxy.port, connectTimeout: 200 })).toBe(
      'cannot be reached: it does not answer in time',
    )
  })

  it.each([
    ['has too many connections', 'cannot be opened: the server has too many connections', 'connection limit 0'],
    [
      'has another encoding',
      'has the encoding SQL_ASCII: create the database with the encoding UTF8',
      "template template0 encoding 'SQL_ASCII' locale 'C'",
    ],
  ])('%s', async (_, message, options) => {
    const other = await server.createDatabase(options)
    expect(await refusal({ database: other.database })).toBe(message)
    await other.drop()
  })

  it('is read-only', async () => {
    const role = `alter role strongroom in database ${database.database}`
    await database.sql(`${role} set default_transaction_read_only = on`)
    expect(await refusal()).toBe('cannot be written: it is read-only')
    await database.sql(`${role} reset all`)
  })

  it('gives its role no rights', async () => {
    await database.sql('create schema closed; create schema read; grant usage on schema read to strongroom')
    expect(await refusal({ schema: 'closed' })).toBe(
      'cannot be opened: there is no such schema, or the role may not use it',
    )
    expect(await refusal({ schema: 'read' })).toBe(
      'cannot be used: the role lacks a privilege: permission denied for schema read',
    )
  })

  it('has tables of another application, and is left unchanged', async () => {
    await database.sql('create table customers (id int)')
    expect(await refusal()).toBe(
      'is the database of another application: set storage.postgres.schema or database to another',
    )
    expect(await database.sql("select tablename from pg_tables where schemaname = 'public'")).toEqual([
      { tablename: 'customers' },
    ])
    await database.sql('drop table customers')
  })

  it('is empty, or has no such schema', async () => {
    expect(await refusal({}, false)).toBe('is empty: restore it from a backup')
    expect(await refusal({ schema: 'none' }, false)).toBe('is empty: restore it from a backup')
  })

  it('is of a version that is too old, or a standby', async () => {
    const facts = { version: '15.2', number: 150_002, encoding: 'UTF8', standby: false }
    const prepare = (changed: object) =>
      prepareSession({ query: async () => ({ rows: [{ ...facts, ...changed }] }) } as never, 'public', 0)
    await expect(prepare({ version: '14.11', number: 140_011 })).rejects.toThrow(
      'is on PostgreSQL 14.11: it must be 15 or newer',
    )
    await expect(prepare({ standby: true })).rejects.toThrow('is on a standby, which is read-only: name the primary')
    await prepare({})
  })
})

describe('a database', () => {
  it.each<readonly [string, () => Partial<PostgresqlOptions>]>([
    ['over TLS', () => tls()],
    ['over TLS, whatever its host', () => ({ host: '127.1', ...tls({}, false) })],
    [
      'over TLS with a certificate instead of a password',
      () => {
        const { certificateFile, keyFile } = server.client
        const files = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) }
        return { user: 'certified', schema: 'certified', password: () => '', ...tls(files) }
      },
    ],
    ['over a Unix socket', () => ({ host: server.folder, schema: 'over_socket' })],
  ])('is opened %s', async (_, options) => {
    const database = await server.createDatabase()
    await database.sql(`grant create on database ${database.database} to certified`)
    const opened = await openDatabase(engineOf(database, options()))
    await opened.check()
    await opened.close()
    await database.drop()
  })

  it('holds several storages, each in its schema', async () => {
    const shared = await server.createDatabase()
    const open = (schema: string) => openDatabase(engineOf(shared, { schema }))
    const [one, two] = [await open('one'), await open('two')]
    await one.writeClock({ time: 1, stableSince: 1 } as never, undefined)
    expect((await one.readClock())?.reading).toEqual({ time: 1, stableSince: 1 })
    expect((await two.readClock())?.reading).toBeUndefined()
    await one.close()
    await two.close()
    await shared.drop()
  })

  it('that is empty is migrated once, however many gateways open it at the same time', async () => {
    const fresh = await server.createDatabase()
    const opened = await Promise.all(Array.from({ length: 5 }, () => openDatabase(engineOf(fresh))))
    const [{ rows }] = (await fresh.sql('select count(*) as rows from strongroom_migrations')) as [{ rows: string }]
    expect(Number(rows)).toBeGreaterThan(27)
    expect(await fresh.sql('select count from write_check')).toEqual([{ count: '5' }])
    for (const database of opened) await database.close()
    await fresh.drop()
  })
  it('is migrated while other gateways use it, and no transaction of them fails', async () => {
    const former = await server.createDatabase()
    const engine = engineOf(former)
    const connections = engine.connect()
    await connections.migrate(tx => migrate(tx, engine, schema - 1))
    await connections.close()
    const other = new Client({ host: server.folder, port: server.port, user: 'postgres', database: former.database })
    await other.connect()
    // It would be the one whose transaction fails, if the migration waited for longer.
    await other.query("set deadlock_timeout = '700ms'; begin; lock table strongroom_migrations in share mode")
    const opening = openDatabase(engine)
    // It waits, and commits wait for it.
    const waiting = `select from pg_stat_activity join pg_locks using (pid) where wait_event_type = 'Lock'
      and relation = 'change_number'::regclass and mode = 'RowExclusiveLock'`
    await vi.waitFor(async () => expect(await former.sql(waiting)).toHaveLength(1), { timeout: 20_000 })
    // As every commit does first: now each waits for the other.
    await other.query('update change_number set last = last; commit')
    await (await opening).close()
    await other.end()
    await former.drop()
  })
})
