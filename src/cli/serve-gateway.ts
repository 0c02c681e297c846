/** `strongroom serve`. */
import { existsSync } from 'node:fs'
import { processCount } from '../config/processes.ts'
import type { Config, Overrides } from '../config.ts'
import { shellQuoted } from '../shell-quoted.ts'
import type { Processes } from '../supervisor/start.ts'
import { credentialsFile } from './credentials.ts'
import { type DataFolder, openDataFolder } from './data-folder.ts'
import type { ConfigOptions } from './options.ts'
import { settleSoftHsm } from './softhsm-configuration.ts'

export interface ServeOptions extends ConfigOptions, Overrides {}

export async function serveGateway(options: ServeOptions): Promise<void> {
  // The process that started it may be gone.
  process.stdout.removeAllListeners('error').on('error', () => {})
  let reload = () => {}
  process.on('SIGHUP', () => reload())
  const folder = openDataFolder(options, options)
  const { path, config } = folder
  const gateway = await started(folder, () => openDataFolder(options, options).config)
  reload = () => gateway.reload()
  const end = signalled()
  process.stdout.write(config.emulator ? emulatorWelcome(gateway.url) : welcome(gateway.url, path))
  const signal = await Promise.race([end, gateway.failed])
  exitAfter(closeDeadline, 1)
  await gateway.close(signal)
  // An unread pipe must not keep the process alive.
  exitAfter(flushDeadline, 0)
}

/** A gateway in this process, or several in processes of their own. @param read the configuration anew */
async function started(folder: DataFolder, read: () => Config): Promise<Processes> {
  const { config } = folder
  const locked = () => settleSoftHsm(folder, { write: true })
  if (processCount(config) > 1) {
    const { startProcesses } = await import('../supervisor/start.ts')
    return startProcesses(config, read, locked)
  }
  const { startGateway } = await import('../assemble.ts')
  return { ...(await startGateway(config, locked)), failed: new Promise(() => {}) }
}

/** Milliseconds to close everything; to flush standard error. */
const closeDeadline = 40_000
const flushDeadline = 1000

/** Exits after the given milliseconds, unless the process has ended by itself. */
function exitAfter(milliseconds: number, code: number): void {
  setTimeout(() => {
    if (code !== 0) process.stderr.write(`strongroom: not stopped within ${closeDeadline / 1000} seconds: exiting\n`)
    process.exit(code)
  }, milliseconds).unref()
}

/** Two lines to paste. */
function emulatorWelcome(url: string): string {
  return `Strongroom emulates the AWS KMS API at ${url}
Everybody who can reach it is an administrator: see docs/emulators.md

  export AWS_ENDPOINT_URL_KMS=${shellQuoted(url)} AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  aws kms create-key --endpoint-url "$AWS_ENDPOINT_URL_KMS"
`
}

/** Two lines to paste, if there is a credentials file. */
function welcome(url: string, folder: string): string {
  const credentials = credentialsFile(folder)
  const heading = `Strongroom serves the AWS KMS API at ${url}\n`
  if (!existsSync(credentials)) return heading
  return `${heading}
  export AWS_ENDPOINT_URL_KMS=${shellQuoted(url)} AWS_SHARED_CREDENTIALS_FILE=${shellQuoted(credentials)}
  aws kms create-key --endpoint-url "$AWS_ENDPOINT_URL_KMS"
`
}

/** Resolves to the first signal; a second one kills the process. */
async function signalled(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  const signals = ['SIGTERM', 'SIGINT'] as const
  const first = (signal: NodeJS.Signals) => {
    for (const each of signals) process.off(each, first)
    resolve(signal)
  }
  for (const signal of signals) process.on(signal, first)
  return promise
}
