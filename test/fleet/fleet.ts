/** A fleet: gateways as processes of their own, on one PostgreSQL, each through a proxy of its own, and on one SoftHSM token. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { withAdministration } from '../../src/cli/administration.ts'
import {
  type Credentials,
  type Gateway,
  home,
  type Installation,
  serve,
  strongroom,
  type WrittenConfig,
} from '../end-to-end/gateway.ts'
import { freePort } from '../free-port.ts'
import { softHsmLibrary } from '../hsm/softhsm.ts'
import type { PostgresqlServer, TestDatabase } from '../postgresql.ts'
import { Preloaded } from '../preloaded/preloaded.ts'
import type { SeededRandom } from '../soak/seeded-random.ts'
import { TcpProxy } from '../tcp-proxy.ts'
import { KmsClient, userArn } from './client.ts'
import type { Clients } from './workload.ts'

const administrator: Credentials = { accessKeyId: 'AKIAFLEETADMINISTRAT', secretAccessKey: 'not-a-secret-of-a-fleet' }

export interface FleetOptions {
  readonly server: PostgresqlServer
  readonly gateways?: number
  /** Whether `init` is run for all gateways at once, and again where it says so. Default: for the first one. */
  readonly initAtOnce?: boolean
  /** Default: longer than a busy machine delays a renewal. */
  readonly lease?: string
  /** Whether the clocks of the gateways can be set. */
  readonly clocks?: boolean
  readonly configure?: (config: WrittenConfig, number: number) => void
  readonly environment?: Readonly<Record<string, string>>
  /** Folder of the version that creates the fleet, and with which its gateways start. Default: this one. */
  readonly version?: string
}

export class Fleet implements AsyncDisposable {
  readonly members: readonly Member[]
  readonly clients: Clients
  readonly database: TestDatabase
  /** Of everything but the database. */
  readonly folder: string
  /** Where the proxies lead to. */
  readonly #target: { port: number }

  private constructor(
    folder: string,
    database: TestDatabase,
    target: { port: number },
    members: readonly Member[],
    clients: Clients,
  ) {
    this.folder = folder
    this.database = database
    this.#target = target
    this.members = members
    this.clients = clients
  }

  /** Creates the fleet, and a user whom only key policies and grants allow anything. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const folder = mkdtempSync(join(tmpdir(), 'strongroom-fleet-'))
    mkdirSync(join(folder, 'tokens'), { mode: 0o700 })
    const token = `log.level = ERROR\nobjectstore.backend = file\ndirectories.tokendir = ${join(folder, 'tokens')}\n`
    writeFileSync(join(folder, 'softhsm2.conf'), token)
    writeFileSync(join(folder, 'pin'), `${randomBytes(8).toString('hex')}\n`, { mode: 0o600 })
    const database = await options.server.createDatabase()
    const target = { host: database.host, port: database.port }
    const numbers = Array.from({ length: options.gateways ?? 3 }, (_, index) => index + 1)
    const members = await Promise.all(
      numbers.map(number => Member.create(folder, number, { database, target }, options)),
    )
    const initialized = options.initAtOnce ? members : members.slice(0, 1)
    await Promise.all(initialized.map(member => initialize(member, options.version)))
    await Promise.all(members.map(member => member.start()))
    const user = await members[0]!.administer<Credentials>(async administer => {
      await administer('CreateIdentity', { account: home, kind: 'user', name: 'alice', entry: {} })
      return administer('CreateAccessKey', { account: home, user: 'alice' })
    })
    const [byAdministrator, byUser] = [new KmsClient(administrator), new KmsClient(user)]
    const clients = { administrator: byAdministrator, user: byUser, userArn: userArn('alice') }
    return new Fleet(folder, database, target, members, clients)
  }

  /** URL of one of the gateways, also if it does not run. */
  anyUrl(random: SeededRandom): string {
    return random.of(this.members).url
  }

  /** From now on the gateways find the database at another server. */
  failOver({ port }: PostgresqlServer): void {
    this.#target.port = port
    for (const { proxy } of this.members) proxy.cut()
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map(member => member.stop()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.clients.administrator.close()
    this.clients.user.close()
    await Promise.all(this.members.map(member => member.dispose()))
    rmSync(this.folder, { recursive: true, force: true })
  }
}

async function initialize({ installation: { folder } }: Member, version: string | undefined): Promise<void> {
  const key = {
    STRONGROOM_ADMIN_ACCESS_KEY_ID: administrator.accessKeyId,
    STRONGROOM_ADMIN_SECRET_ACCESS_KEY: administrator.secretAccessKey,
  }
  const command = ['init', '--config', join(folder, 'strongroom.yaml'), '--account', home]
  for (;;) {
    const { code, stderr } = await strongroom(command, key, version)
    if (code === 0) return
    if (!stderr.includes('another strongroom init uses the same storage: run it again'))
      throw new Error(`init failed: ${stderr}`)
  }
}

/** A gateway of a fleet: it has its own configuration, journal and connection to the database. */
export class Member {
  readonly name: string
  readonly url: string
  readonly installation: Installation
  /** Between it and the database. */
  readonly proxy: TcpProxy
  readonly clock: Preloaded | undefined
  /** Of its next start: see FleetOptions. */
  version: string | undefined
  readonly #port: number
  readonly #environment: Readonly<Record<string, string>>
  #gateway: Gateway | undefined
  /** What its former processes complained of. */
  readonly #complaints: string[] = []

  private constructor(
    name: string,
    port: number,
    proxy: TcpProxy,
    installation: Installation,
    { clocks = false, environment = {}, version }: FleetOptions,
  ) {
    this.name = name
    this.#port = port
    this.url = `http://127.0.0.1:${port}`
    this.proxy = proxy
    this.installation = installation
    this.#environment = environment
    this.version = version
    if (clocks) this.clock = new Preloaded('wrong-clock', installation.folder)
  }

  static async create(
    root: string,
    number: number,
    { database, target }: { database: TestDatabase; target: { host: string; port: number } },
    options: FleetOptions,
  ): Promise<Member> {
    const name = `gateway-${number}`
    const folder = join(root, name)
    mkdirSync(folder, { mode: 0o700 })
    const proxy = await TcpProxy.to(target)
    const file = join(folder, 'strongroom.yaml')
    const config = configuration(root, name, { ...database, port: proxy.port }, options)
    options.configure?.(config, number)
    writeFileSync(join(folder, 'database-password'), database.password, { mode: 0o600 })
    writeFileSync(file, stringify(config))
    const installation: Installation = {
      folder,
      credentials: { [home]: administrator },
      configure(change) {
        const written = parse(readFileSync(file, 'utf8')) as WrittenConfig
        change(written)
        writeFileSync(file, stringify(written))
      },
      remove: () => rmSync(folder, { recursive: true, force: true }),
    }
    return new Member(name, await freePort(), proxy, installation, options)
  }

  get gateway(): Gateway {
    if (this.#gateway === undefined) throw new Error(`${this.name} does not run`)
    return this.#gateway
  }

  get isRunning(): boolean {
    return this.#gateway !== undefined
  }

  async start(): Promise<void> {
    const environment = { ...this.#environment, ...this.clock?.environment }
    this.#gateway = await serve(this.installation, { port: this.#port, environment, version: this.version })
  }

  async stop(): Promise<void> {
    await this.#leave(async gateway => {
      const code = await gateway.stop()
      if (code !== 0) throw new Error(`${this.name} exited with ${code}: ${gateway.complaints().join('\n')}`)
    })
  }

  async kill(): Promise<void> {
    await this.#leave(gateway => gateway.kill())
  }

  async #leave(end: (gateway: Gateway) => Promise<void>): Promise<void> {
    const gateway = this.#gateway
    if (gateway === undefined) return
    this.#gateway = undefined
    await end(gateway).finally(() => this.#complaints.push(...gateway.complaints()))
  }

  /** As a machine that is suspended, but for its monotonic clock. */
  suspend(): void {
    process.kill(this.gateway.pid, 'SIGSTOP')
  }

  resume(): void {
    process.kill(this.gateway.pid, 'SIGCONT')
  }

  complaints(): readonly string[] {
    return [...this.#complaints, ...(this.#gateway?.complaints() ?? [])]
  }

  administer<T>(work: (administer: <O>(operation: string, input: object) => Promise<O>) => Promise<T>): Promise<T> {
    return withAdministration({ data: this.installation.folder }, work)
  }

  async dispose(): Promise<void> {
    if (this.isRunning) this.resume()
    await this.kill()
    await this.proxy[Symbol.asyncDispose]()
  }
}

function configuration(
  root: string,
  name: string,
  { host, port, database, user }: Pick<TestDatabase, 'host' | 'port' | 'database' | 'user'>,
  { lease = '10s' }: FleetOptions,
): WrittenConfig {
  const postgres = { host, port, database, user, passwordFile: 'database-password' }
  const softhsm = {
    profile: 'softhsm2',
    library: softHsmLibrary,
    token: { label: 'strongroom' },
    pinFile: join(root, 'pin'),
    workers: 1,
    // Of a busy machine.
    callTimeout: '20s',
    environment: { SOFTHSM2_CONF: join(root, 'softhsm2.conf') },
  }
  return {
    gateway: name,
    listen: { host: '127.0.0.1', port: 0 },
    metrics: { port: 0 },
    storage: { postgres, lease },
    audit: { file: 'audit.jsonl' },
    hsms: { softhsm },
    regions: { 'us-east-1': 'softhsm' },
  } as unknown as WrittenConfig
}
