/** Sessions of PostgreSQL: how they are opened, and what holds in each. */
import { Socket } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { Client, type ClientConfig, escapeIdentifier, types } from 'pg'
import { Unfit } from './errors.ts'
import { decodeText } from './text.ts'

export interface PostgresqlOptions {
  /** Name, address, or folder of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** In which the tables are. */
  readonly schema: string
  /** Read for each session. */
  password(): string
  /** Absent: without TLS. */
  readonly tls?: PostgresqlTls | undefined
  readonly maxConnections: number
  /** Milliseconds. */
  readonly connectTimeout: number
  /** Milliseconds. */
  readonly statementTimeout: number
  /** Told why the server cannot be used, as the rest of a sentence that begins with its name; undefined: that it can be used again. */
  readonly onReach?: ((problem: string | undefined) => void) | undefined
}

export interface PostgresqlTls {
  /** Whether the certificate must be for the host. */
  readonly verifyHost: boolean
  /** In PEM, read for each session. */
  files(): { readonly ca?: Buffer | undefined; readonly cert?: Buffer | undefined; readonly key?: Buffer | undefined }
}

/** The oldest version that is tested, and for which there are fixes. */
const oldestVersion = 15

/**
 * Milliseconds. How long a gateway that is cut off holds up the commits of others: those of a transaction that has stopped, and until its
 * server notices that its machine is gone.
 */
const idleInTransaction = 3000
const unacknowledged = 8000

/** Milliseconds in which a session is ended in order, before it is abandoned: the end of a gateway does not wait for a server that hangs. */
export const goodbye = 2000

/** Milliseconds that an answer may be late, once the server should have given up. */
const lateness = 1000

/** Sessions that are open, or being opened. */
export type Sessions = Set<Session>

export class Session extends Client {
  readonly #socket: Socket
  readonly #problem: Error | undefined

  /**
   * Throws nothing, as the pool creates sessions where nobody would catch it: `connect` rejects.
   *
   * @param statementTimeout milliseconds; 0: none
   */
  constructor(options: PostgresqlOptions, statementTimeout: number, sessions: Sessions) {
    const socket = new Socket()
    let config: ClientConfig = {}
    let problem: Error | undefined
    try {
      config = clientConfig(options, statementTimeout)
    } catch (error) {
      problem = error as Error
    }
    super({ ...config, stream: () => socket })
    this.#socket = socket
    this.#problem = problem
    sessions.add(this)
    socket.once('close', () => sessions.delete(this))
  }

  /** Unlike the driver, leaves no connection open if that fails. */
  override connect(callback: (error: Error, client: Client) => void): void
  override connect(): Promise<Client>
  // biome-ignore lint/suspicious/noConfusingVoidType: as its types have it
  override connect(callback?: (error: Error, client: Client) => void): void | Promise<Client> {
    const opened = this.#problem === undefined ? super.connect() : Promise.reject(this.#problem)
    const connecting = opened.catch(error => {
      this.abandon()
      throw error
    })
    if (callback === undefined) return connecting
    connecting.then(
      () => callback(undefined as never, this),
      error => callback(error, this),
    )
  }

  /** Ends it at once, without a word. */
  abandon(): void {
    this.#socket.destroy()
  }
}

function clientConfig(
  { host, port, database, user, password, tls, connectTimeout }: PostgresqlOptions,
  statementTimeout: number,
): ClientConfig & { pipeline: boolean } {
  return {
    ...{ host, port, database, user, password },
    ssl: tls ? tlsOptions(host, tls) : false,
    enableChannelBinding: tls !== undefined,
    application_name: 'strongroom',
    connectionTimeoutMillis: connectTimeout,
    query_timeout: statementTimeout === 0 ? 0 : statementTimeout + lateness,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5000,
    // A statement that gets no answer then ends the session: the driver would otherwise go on to wait for it.
    pipeline: true,
    types: { getTypeParser },
  }
}

function tlsOptions(host: string, { verifyHost, files }: PostgresqlTls): ClientConfig['ssl'] {
  return {
    ...files(),
    // The driver gives no name to check if the host is an address.
    checkServerIdentity: (_, certificate) => (verifyHost ? checkServerIdentity(host, certificate) : undefined),
  }
}

/** Checks the server, and sets what holds in a new session. Throws Unfit. @param statementTimeout milliseconds; 0: none */
export async function prepareSession(
  client: Pick<Client, 'query'>,
  schema: string,
  statementTimeout: number,
): Promise<void> {
  const facts = await client.query<Facts>(
    `select current_setting('server_version') as version, current_setting('server_version_num')::int4 as number,
       current_setting('server_encoding') as encoding, pg_is_in_recovery() as standby,
       current_setting('transaction_read_only')::bool as readonly`,
  )
  const { version, number, encoding, standby, readonly } = facts.rows[0]!
  if (number < oldestVersion * 10_000) {
    throw new Unfit(`is on PostgreSQL ${version}: it must be ${oldestVersion} or newer`)
  }
  if (encoding !== 'UTF8') throw new Unfit(`has the encoding ${encoding}: create the database with the encoding UTF8`)
  if (standby) throw new Unfit('is on a standby, which is read-only: name the primary')
  if (readonly) throw new Unfit('cannot be written: it is read-only')
  const settings = {
    search_path: escapeIdentifier(schema),
    default_transaction_isolation: "'read committed'",
    statement_timeout: statementTimeout,
    lock_timeout: statementTimeout,
    idle_in_transaction_session_timeout: statementTimeout === 0 ? 0 : idleInTransaction,
    idle_session_timeout: 0,
    tcp_user_timeout: unacknowledged,
    tcp_keepalives_idle: 3,
    tcp_keepalives_interval: 1,
    tcp_keepalives_count: 5,
  }
  const statements = Object.entries(settings).map(([name, value]) => `set ${name} = ${value}`)
  // A commit that is answered must be on disk; whether on those of standbys too is the operator's choice.
  statements.push(
    "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'",
  )
  await client.query(statements.join('; '))
}

interface Facts {
  readonly version: string
  readonly number: number
  readonly encoding: string
  readonly standby: boolean
  readonly readonly: boolean
}

/** OIDs of types (PostgreSQL, pg_type.dat), and what their text becomes. */
const parsers: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [types.builtins.INT8, toNumber],
  [types.builtins.NUMERIC, toNumber],
  [types.builtins.BYTEA, toBytes],
  [types.builtins.TEXT, decodeText],
])

function getTypeParser(oid: number): (text: string) => unknown {
  return parsers.get(oid) ?? types.getTypeParser(oid, 'text')
}

/** Throws RangeError if it is not exact. */
function toNumber(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new RangeError(`not a safe integer: ${text}`)
  return number
}

/** From the format `hex` (PostgreSQL documentation, "Binary Data Types"). */
function toBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.slice(2), 'hex'))
}
