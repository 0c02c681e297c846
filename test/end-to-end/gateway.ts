/** A gateway as its operator runs it: `init`, then `serve`, processes of their own, on a SoftHSM token of their own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { KMS, type KMSClientConfig } from '@aws-sdk/client-kms'
import { parse, stringify } from 'yaml'
import type { AuditRecord } from '../../src/audit/entry.ts'
import { isRecordLine } from '../../src/audit/format.ts'
import { checkAuditFiles } from './secrets.ts'

const root = join(import.meta.dirname, '../..')

/** The account of the first administrator of every installation. */
export const home = '111122223333'

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** A data folder created by `init`. */
export interface Installation {
  readonly folder: string
  /** Of the administrators, by account. */
  readonly credentials: Readonly<Record<string, Credentials>>
  /** Changes the configuration file; takes effect when the gateway starts. */
  configure(change: (config: WrittenConfig) => void): void
  remove(): void
}

export interface WrittenHsm {
  library: string
  pinFile: string
  workers?: number
  token: { label: string }
  environment: Record<string, string>
}

export interface WrittenConfig {
  listen: { host: string; port: number; maxBodySize?: string; tls?: { certificateFile: string; keyFile: string } }
  storage: { file: string }
  audit: { file: string }
  authentication?: { maxClockSkew?: string; services?: boolean }
  hsms: Record<string, WrittenHsm>
  regions: Record<string, string>
  [section: string]: unknown
}

/** @param workers per HSM; one starts more quickly than the usual two */
export async function install({ accounts = [home], workers = 1 } = {}): Promise<Installation> {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-end-to-end-'))
  copyFolder(await preparedFolder(accounts), folder)
  const credentials = Object.fromEntries(accounts.map(account => [account, credentialsOf(account)]))
  const configure: Installation['configure'] = change => {
    const file = join(folder, 'strongroom.yaml')
    const config = parse(readFileSync(file, 'utf8')) as WrittenConfig
    change(config)
    writeFileSync(file, stringify(config))
  }
  configure(({ hsms }) => {
    const softhsm = hsms.softhsm!
    softhsm.workers = workers
    Object.assign(softhsm.environment, compileCache())
  })
  return { folder, credentials, configure, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

function credentialsOf(account: string): Credentials {
  return { accessKeyId: `AKIA${account}TEST`, secretAccessKey: `not-a-secret-of-${account}` }
}

/** A data folder with these administrators. The first test that asks creates it; test files run in parallel, so two may be the first. */
async function preparedFolder(accounts: readonly string[]): Promise<string> {
  const folders = process.env.STRONGROOM_PREPARED_FOLDERS
  if (folders === undefined) throw new Error('the configuration of vitest lacks test/prepare.ts')
  const prepared = join(folders, accounts.join('-'))
  if (existsSync(prepared)) return prepared
  const folder = mkdtempSync(join(folders, 'init-'))
  for (const account of accounts) {
    const { accessKeyId, secretAccessKey } = credentialsOf(account)
    const { code, stderr } = await strongroom(['init', '--data', folder, '--account', account], {
      STRONGROOM_ADMIN_ACCESS_KEY_ID: accessKeyId,
      STRONGROOM_ADMIN_SECRET_ACCESS_KEY: secretAccessKey,
    })
    if (code !== 0) throw new Error(`init failed: ${stderr}`)
  }
  try {
    renameSync(folder, prepared)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error
  }
  return prepared
}

/** As an operator copies a data folder; and the configuration of SoftHSM names the copy, as it does after a start. */
function copyFolder(from: string, to: string): void {
  execFileSync('cp', ['-a', `${from}/.`, to])
  const softHsm = join(to, 'softhsm2.conf')
  const configuration = readFileSync(softHsm, 'utf8')
  writeFileSync(softHsm, configuration.replace(/^directories\.tokendir = .*$/m, `directories.tokendir = ${to}/tokens`))
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command of the command line to its end. */
export function strongroom(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  version?: string,
): Promise<Ended> {
  return startCommand(args, environment, version).ended
}

/** Starts a command of the command line. @param version as in ServeOptions */
export function startCommand(args: readonly string[], environment: NodeJS.ProcessEnv = {}, version?: string) {
  const child = start(args, environment, version)
  const ended = Promise.all([text(child.stdout!), text(child.stderr!), exitOf(child)])
  return { child, ended: ended.then(([stdout, stderr, code]): Ended => ({ code, stdout, stderr })) }
}

export interface Gateway {
  readonly url: string
  readonly metricsUrl: string
  readonly pid: number
  /** An unmodified client of the SDK, without retries unless asked for, for the administrator of an account. */
  client(options?: Partial<KMSClientConfig> & { account?: string; region?: string }): KMS
  /** Every audit record on disk right now. */
  records(): AuditRecord[]
  /** Fields of the first matching log line, once it is written. */
  logged(fits: (fields: Readonly<Record<string, unknown>>) => boolean): Promise<Readonly<Record<string, unknown>>>
  /** The HSM workers that were ready at any time until now. */
  startedWorkers(): Set<unknown>
  /** What it logged as errors until now, and whatever else is on standard error. */
  complaints(): string[]
  /** What it logged as warnings or worse until now, and whatever else is on standard error. */
  warnings(): string[]
  /** Process ids of the HSM workers that are running. */
  workers(): number[]
  /** Resolves to the exit code when it has ended. */
  readonly ended: Promise<number | null>
  /** Ends it as a service manager does; resolves to the exit code. */
  stop(): Promise<number | null>
  kill(): Promise<void>
}

export interface ServeOptions {
  readonly port?: number
  /** Besides that of the tests. */
  readonly environment?: NodeJS.ProcessEnv
  /** Folder of the version that runs: its `src/`. Default: the bundle of this one. */
  readonly version?: string | undefined
}

/** Starts `serve`, on free ports by default. */
export async function serve(
  installation: Installation,
  { port = 0, environment = {}, version }: ServeOptions = {},
): Promise<Gateway> {
  const { folder, credentials } = installation
  const child = start(['serve', '--data', folder, '--port', String(port)], environment, version)
  const ended = exitOf(child)
  const output = new Lines(child.stdout!)
  const log = new Lines(child.stderr!)
  const logged = async (fits: (fields: Record<string, unknown>) => boolean) =>
    JSON.parse(await log.first(line => line.startsWith('{') && fits(JSON.parse(line) as Record<string, unknown>)))
  const heading = await output.first(line => line.includes(' at http')).catch(() => '')
  const url = heading.split(' at ')[1]
  if (url === undefined) throw new Error(`the gateway did not start: ${log.all.join('\n')}`)
  const { metricsUrl } = await logged(({ metricsUrl }) => metricsUrl !== undefined)
  const clients: KMS[] = []
  const from = (level: number) => log.all.filter(line => !line.startsWith('{') || JSON.parse(line).level >= level)
  return {
    url,
    metricsUrl: metricsUrl as string,
    pid: child.pid!,
    ended,
    client({ account = home, ...options } = {}) {
      const client = new KMS({
        endpoint: url,
        region: 'us-east-1',
        credentials: credentials[account]!,
        maxAttempts: 1,
        ...options,
      })
      clients.push(client)
      return client
    },
    records: () => recordsOf(installation),
    logged,
    startedWorkers: () =>
      new Set(log.all.filter(line => line.includes('"worker_ready"')).map(line => JSON.parse(line).worker as unknown)),
    complaints: () => from(50),
    warnings: () => from(40),
    workers: () => childrenOf(child.pid!),
    async stop() {
      for (const client of clients) client.destroy()
      child.kill('SIGTERM')
      const code = await ended
      checkAuditFiles(folder)
      return code
    },
    async kill() {
      for (const client of clients) client.destroy()
      child.kill('SIGKILL')
      await ended
      checkAuditFiles(folder)
    },
  }
}

/** Of all segments. */
export function recordsOf(installation: Installation): AuditRecord[] {
  return segmentsOf(installation).flatMap(recordsIn)
}

/** The files of the audit journal, in their order. */
export function segmentsOf({ folder }: Installation): string[] {
  const full = readdirSync(folder).filter(name => /^audit-\d{8}\.jsonl$/.test(name))
  return [...full.sort(), 'audit.jsonl'].map(name => join(folder, name))
}

export function recordsIn(file: string): AuditRecord[] {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : ['']
  if (lines.pop() !== '') throw new Error('the last audit record is not whole')
  return lines.filter(isRecordLine).map(line => JSON.parse(line) as AuditRecord)
}

/** The path of the program, bundled from src/main.ts: see test/bundle.ts. Benchmarks have no bundle, and run the source. */
export function program(): string {
  return process.env.STRONGROOM_PROGRAM ?? join(root, 'src/main.ts')
}

/** Where Node.js keeps what it has compiled: processes start in half the time. Beside the bundle, with which it is removed. */
export function compileCache() {
  const bundle = process.env.STRONGROOM_PROGRAM
  return { NODE_COMPILE_CACHE: bundle ? join(bundle, '../../compiled') : join(root, 'node_modules/.cache/compiled') }
}

/** The environment of the tests, with nothing in it that configures the gateway or an SDK. */
function start(args: readonly string[], environment: NodeJS.ProcessEnv, version?: string): ChildProcess {
  const { PATH, TMPDIR } = process.env
  const main = version === undefined ? program() : join(version, 'src/main.ts')
  return spawn(process.execPath, [main, ...args], {
    env: { PATH, TMPDIR, ...compileCache(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve(code))
  })
}

async function text(stream: Readable): Promise<string> {
  return Buffer.concat(await stream.toArray()).toString()
}

function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return list === '' ? [] : list.split(' ').map(Number)
}

/** What a process writes, line by line. */
class Lines {
  readonly all: string[] = []
  readonly #waiting = new Set<(line: string | undefined) => void>()
  #ended = false

  constructor(stream: Readable) {
    const lines = createInterface(stream)
    lines.on('line', line => {
      this.all.push(line)
      for (const look of [...this.#waiting]) look(line)
    })
    lines.on('close', () => {
      this.#ended = true
      for (const look of [...this.#waiting]) look(undefined)
    })
  }

  /** The first matching line, once it is written. Rejects if the stream ends without it. */
  first(fits: (line: string) => boolean): Promise<string> {
    const present = this.all.find(fits)
    if (present !== undefined) return Promise.resolve(present)
    if (this.#ended) return Promise.reject(new Error('the stream has ended'))
    return new Promise((resolve, reject) => {
      const look = (line: string | undefined) => {
        if (line !== undefined && !fits(line)) return
        this.#waiting.delete(look)
        if (line === undefined) reject(new Error('the stream has ended'))
        else resolve(line)
      }
      this.#waiting.add(look)
    })
  }
}
