/** PostgreSQL for tests: real servers, whose files are in a folder that lives no longer than the tests. */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { freePort } from './free-port.ts'
import { makeCertificate, makeClientCertificate } from './server/certificates.ts'

const run = promisify(execFile)

/** Safe if the server crashes, and quick: little memory, and no more in the log than a restart needs. */
const settings = {
  listen_addresses: '127.0.0.1',
  ssl: 'on',
  ssl_cert_file: 'server.pem',
  ssl_key_file: 'server.key',
  ssl_ca_file: 'authority.pem',
  shared_buffers: '32MB',
  max_connections: '200',
  wal_level: 'minimal',
  max_wal_senders: '0',
  autovacuum: 'off',
  lc_messages: 'C',
}

/** What replicas need besides. */
const replicated = { wal_level: 'replica', max_wal_senders: '4', hot_standby: 'on' }

/** The superuser uses the Unix socket; `strongroom` TCP and its password, `certified` TLS and its certificate. */
const access = `local all all trust
local replication postgres trust
host replication postgres 127.0.0.1/32 trust
hostssl all certified 127.0.0.1/32 cert
host all all 127.0.0.1/32 scram-sha-256
`

export interface TestDatabase {
  readonly host: string
  readonly port: number
  readonly database: string
  /** Its owner, which has no other rights. */
  readonly user: string
  readonly password: string
  /** One or more statements as the superuser, in a session of their own; rows of the last one. */
  sql(text: string): Promise<Record<string, unknown>[]>
  /** Ends all sessions of it. */
  drop(): Promise<void>
}

interface Address {
  readonly folder: string
  readonly port: number
  readonly password: string
  /** Whether it can have replicas. */
  readonly isReplicated?: boolean
}

export class PostgresqlServer {
  readonly folder: string
  readonly host = '127.0.0.1'
  readonly port: number
  /** Of the role `strongroom`. */
  readonly password: string
  readonly #isReplicated: boolean

  constructor({ folder, port, password, isReplicated = false }: Address) {
    this.#isReplicated = isReplicated
    this.folder = folder
    this.port = port
    this.password = password
  }

  /** Of the authority that issued the certificate of the server. */
  get caFile(): string {
    return join(this.folder, 'ca.pem')
  }

  /** Of the role `certified`. */
  get client(): { readonly certificateFile: string; readonly keyFile: string } {
    return { certificateFile: join(this.folder, 'client.pem'), keyFile: join(this.folder, 'client.key') }
  }

  /** A new, empty one. @param options of CREATE DATABASE */
  async createDatabase(options = ''): Promise<TestDatabase> {
    const { host, port, password } = this
    const database = `test_${randomBytes(8).toString('hex')}`
    await this.sql(`create database ${database} owner strongroom ${options}`)
    return {
      ...{ host, port, database, user: 'strongroom', password },
      sql: text => this.sql(text, database),
      drop: async () => {
        await this.sql(`drop database if exists ${database} with (force)`)
      },
    }
  }

  /** As the superuser, in a session of its own; rows of the last statement. */
  async sql(text: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
    const client = new Client({ host: this.folder, port: this.port, user: 'postgres', database })
    await client.connect()
    try {
      return [await client.query(text)].flat().at(-1)!.rows
    } finally {
      await client.end()
    }
  }

  async start(): Promise<void> {
    const { folder, port } = this
    const own = this.#isReplicated ? { ...settings, ...replicated } : settings
    const all = Object.entries({ ...own, unix_socket_directories: folder, port })
    const options = all.map(([name, value]) => `-c ${name}=${value}`).join(' ')
    const log = join(folder, 'log')
    try {
      await this.#control('start', '-l', log, '-o', options)
    } catch (error) {
      const said = existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : (error as Error).message
      throw new Error(`PostgreSQL does not start: ${said}`, { cause: error })
    }
  }

  /** @param mode of pg_ctl: `fast` ends sessions in order, `immediate` leaves as much undone as a crash */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await this.#control('stop', '-m', mode)
  }

  /** All of its processes at once, with SIGKILL. */
  async kill(): Promise<void> {
    const main = Number(readFileSync(join(this.folder, 'data/postmaster.pid'), 'utf8').split('\n')[0])
    const children = readFileSync(`/proc/${main}/task/${main}/children`, 'utf8').match(/\d+/g) ?? []
    const processes = [main, ...children.map(Number)]
    for (const pid of processes) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // The end of a session, just now.
      }
    }
    while (processes.some(isRunning)) await sleep(5)
    // The next start would take a process whose parent has not asked for its exit code yet for a running server.
    for (const file of ['data/postmaster.pid', `.s.PGSQL.${this.port}.lock`])
      rmSync(join(this.folder, file), { force: true })
  }

  /**
   * A copy of this server, which must be replicated, that follows it until `promote`.
   *
   * @param primary through which it reaches this server
   */
  async replica({ host, port }: { readonly host: string; readonly port: number }): Promise<Replica> {
    const { folder, remove } = await serverFolder()
    const copy = [
      '-D',
      join(folder, 'data'),
      '-h',
      this.folder,
      '-p',
      `${this.port}`,
      '-U',
      'postgres',
      '-c',
      'fast',
      '--no-sync',
    ]
    await run(program('pg_basebackup'), copy, { ...owner(), cwd: folder })
    writeFileSync(join(folder, 'data/standby.signal'), '')
    appendFileSync(
      join(folder, 'data/postgresql.auto.conf'),
      `primary_conninfo = 'host=${host} port=${port} user=postgres sslmode=disable'\n`,
    )
    const replica = new PostgresqlServer({
      folder,
      port: await freePort(),
      password: this.password,
      isReplicated: true,
    })
    await replica.start()
    return Object.assign(replica, {
      /** From now on it is a server of its own, with what it has received. */
      promote: () => replica.#control('promote'),
      [Symbol.asyncDispose]: remove,
    })
  }

  async #control(action: string, ...options: string[]): Promise<void> {
    const { folder } = this
    const all = [action, '--wait', '-D', join(folder, 'data'), ...options]
    await run(program('pg_ctl'), all, { ...owner(), cwd: folder })
  }
}

export type Replica = PostgresqlServer & AsyncDisposable & { promote(): Promise<void> }

/** A process that has ended, but whose parent has not asked for its exit code yet, has no program any more. */
function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`)
}

/** The server of this run of the tests, started by the first test that needs it. */
export async function postgresql(): Promise<PostgresqlServer> {
  const folder = process.env.STRONGROOM_TEST_POSTGRESQL
  if (folder === undefined) throw new Error('the configuration of vitest lacks test/prepare.ts')
  const address = join(folder, 'address.json')
  const failure = join(folder, 'failure')
  if (isFirst(folder)) {
    const created = await create(folder).catch(error => {
      writeFileSync(failure, String(error))
      throw error
    })
    const { port, password } = created
    writeFileSync(`${address}.new`, JSON.stringify({ folder, port, password } satisfies Address))
    renameSync(`${address}.new`, address)
  }
  while (!existsSync(address)) {
    if (existsSync(failure)) throw new Error(readFileSync(failure, 'utf8'))
    await sleep(20)
  }
  return new PostgresqlServer(JSON.parse(readFileSync(address, 'utf8')) as Address)
}

function isFirst(folder: string): boolean {
  try {
    mkdirSync(join(folder, 'starting'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** A server for tests that stop it; `remove` ends it. */
export async function ownPostgresql({ isReplicated = false } = {}): Promise<PostgresqlServer & AsyncDisposable> {
  const { folder, remove } = await serverFolder()
  const server = await create(folder, isReplicated).catch(async error => {
    await remove()
    throw error
  })
  return Object.assign(server, { [Symbol.asyncDispose]: remove })
}

/**
 * A folder for a server, and its end: when `remove` is called, or this process has ended in whatever way, a server in it is stopped and the
 * folder removed.
 */
export async function serverFolder(): Promise<{ folder: string; remove(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-postgresql-'))
  const { uid, gid } = owner()
  if (uid !== undefined) chownSync(folder, uid, gid!)
  const guard = spawn('sh', ['-c', ending, 'sh', folder], { stdio: ['pipe', 'ignore', 'inherit'], detached: true })
  await once(guard, 'spawn')
  guard.unref()
  const remove = async () => {
    guard.ref()
    guard.stdin.end()
    if (guard.exitCode === null) await once(guard, 'exit')
  }
  return { folder, remove }
}

/** Reads until the other end of the pipe is closed, by whatever ended the process there. */
const ending = `
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
while [ -n "$pid" ] && [ -e "/proc/$pid/exe" ]; do sleep 0.02; done
rm -rf "$1"
`

async function create(folder: string, isReplicated = false): Promise<PostgresqlServer> {
  const inFolder = (name: string) => join(folder, name)
  const data = inFolder('data')
  const locale = ['--encoding=UTF8', '--locale=C.UTF-8', '--username=postgres', '--no-sync']
  await run(program('initdb'), ['-D', data, '-A', 'trust', ...locale], { ...owner(), cwd: folder })
  writeFileSync(join(data, 'pg_hba.conf'), access)
  makeCertificate({ certificateFile: inFolder('ca.pem'), keyFile: join(data, 'server.key') })
  writeFileSync(join(data, 'server.pem'), readFileSync(inFolder('ca.pem')))
  const authority = { certificateFile: join(data, 'authority.pem'), keyFile: inFolder('authority.key') }
  const client = { certificateFile: inFolder('client.pem'), keyFile: inFolder('client.key') }
  makeClientCertificate(authority, client, 'certified')
  const { uid, gid } = owner()
  for (const file of readdirSync(data))
    if (/\.(?:pem|key|conf)$/.test(file)) {
      chmodSync(join(data, file), 0o600)
      if (uid !== undefined) chownSync(join(data, file), uid, gid!)
    }
  const password = randomBytes(12).toString('hex')
  const server = new PostgresqlServer({ folder, port: await freePort(), password, isReplicated })
  await server.start()
  await server.sql(`create role strongroom login password '${server.password}'; create role certified login`)
  return server
}

/** Debian has the programs of a server outside of PATH. */
function program(name: string): string {
  const [found] = globSync(`/usr/lib/postgresql/*/bin/${name}`).sort().reverse()
  if (found === undefined) throw new Error('PostgreSQL is not installed: ./scripts/test installs it')
  return found
}

/** PostgreSQL refuses to run as root: it then runs as the user that its package creates. */
function owner(): { uid?: number; gid?: number } {
  if (process.getuid!() !== 0) return {}
  const [uid, gid] = ['-u', '-g'].map(option => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' })))
  return { uid: uid!, gid: gid! }
}
