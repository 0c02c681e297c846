/** A page in headless Chromium, without a driver: it reports by itself to the server that it comes from. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Credentials } from '../gateway.ts'

/** For the client in the page. */
export interface Settings {
  readonly endpoint: string
  readonly region: string
  readonly credentials: Credentials
}

/** What the page found. */
export interface Report {
  readonly origin: string
  readonly keyId?: string
  readonly plaintext?: string
  readonly error?: { readonly name: string; readonly message: string; readonly requestId?: string | undefined }
  /** What its first call that should have succeeded was refused with. */
  readonly failed?: string
}

/** Debian's command, if installed. */
export const chromium = process.env.PATH?.split(delimiter)
  .map(folder => join(folder, 'chromium'))
  .find(existsSync)

/** The page with the SDK, bundled for browsers. */
export async function bundle(): Promise<string> {
  // The bundler that Vitest runs on.
  const { build } = createRequire(createRequire(import.meta.url).resolve('vitest'))('vite') as typeof import('vite')
  const output = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      rolldownOptions: { input: join(import.meta.dirname, 'page.ts'), output: { codeSplitting: false } },
    },
  })
  if (!('output' in output)) throw new Error('the page was not bundled')
  return output.output[0].code
}

/** Resolves to what the page reports. Rejects when Chromium ends before, or after 60 seconds. */
export async function reportOf(script: string, settings: Settings): Promise<Report> {
  const reported = Promise.withResolvers<Report>()
  const server = createServer(async (request, response) => {
    if (request.url === '/report') reported.resolve(JSON.parse(await textOf(request)) as Report)
    const [type, body] = {
      '/': ['text/html', '<!doctype html><title>page</title><script type="module" src="/page.js"></script>'],
      '/page.js': ['text/javascript', script],
      '/settings': ['application/json', JSON.stringify(settings)],
    }[request.url!] ?? ['text/plain', '']
    response.writeHead(200, { 'content-type': type }).end(body)
  })
  const url = await listening(server)
  const profile = mkdtempSync(join(tmpdir(), 'strongroom-chromium-'))
  const browser = start(url, profile)
  const ended = exitOf(browser).then(code => Promise.reject(new Error(`Chromium ended with ${code}`)))
  const late = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new Error('the page did not report')), 60_000).unref(),
  )
  try {
    return await Promise.race([reported.promise, ended, late])
  } finally {
    await end(browser)
    server.closeAllConnections()
    server.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}

function start(url: string, profile: string): ChildProcess {
  const quiet = [
    '--headless',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-breakpad',
  ]
  // Root, as in containers, cannot have Chromium's sandbox.
  const args = [...quiet, ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), `--user-data-dir=${profile}`, url]
  // A process group of its own, so that its children end with it.
  return spawn(chromium!, args, { detached: true, stdio: 'ignore', env: { PATH: process.env.PATH, HOME: profile } })
}

async function end(browser: ChildProcess): Promise<void> {
  if (browser.pid === undefined) return
  const ended = browser.exitCode === null && browser.signalCode === null ? once(browser, 'exit') : undefined
  try {
    process.kill(-browser.pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
  await ended
}

async function exitOf(browser: ChildProcess): Promise<unknown> {
  const [code] = await once(browser, 'exit')
  return code
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

async function textOf(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await request.toArray()).toString()
}
