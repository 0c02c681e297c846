import { type ChildProcess, execFileSync, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, openSync, readFileSync, writeSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { KMS } from '@aws-sdk/client-kms'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { home, type Installation, install } from './gateway.ts'
import { send } from './requests.ts'

/** Standard error and standard output are side channels: whatever happens to them, calls are answered. */

const root = join(import.meta.dirname, '../..')
let installation: Installation
let ports: { api: number; metrics: number }
let gateway: ChildProcess | undefined

beforeAll(async () => {
  installation = await install({ workers: 2 })
  ports = { api: await freePort(), metrics: await freePort() }
  installation.configure(config => {
    config.listen.port = ports.api
    config.metrics = { port: ports.metrics }
  })
})
afterEach(async () => {
  if (gateway?.exitCode !== null) return
  gateway.kill('SIGKILL')
  await once(gateway, 'exit')
})
afterAll(() => installation?.remove())

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** Starts `serve`, and waits until it answers: nobody hears what it says. */
async function start(command: string, stdio: StdioOptions): Promise<ChildProcess> {
  const { PATH } = process.env
  gateway = spawn(
    'sh',
    ['-c', command, 'sh', process.execPath, join(root, 'src/main.ts'), 'serve', '--data', installation.folder],
    { stdio, env: { PATH } },
  )
  await vi.waitFor(async () => expect(await ask(ports.api, '/healthz')).toContain('ok'), {
    timeout: 25_000,
    interval: 50,
  })
  return gateway
}

async function ask(port: number, path: string): Promise<string> {
  return (await send(`http://127.0.0.1:${port}${path}`, {})).body
}

async function droppedLines(): Promise<number> {
  const [, count] = /^strongroom_log_lines_dropped_total (\d+)/m.exec(await ask(ports.metrics, '/metrics'))!
  return Number(count)
}

/** Kills an HSM worker, and calls until another one is there: that is worth a few lines of the log. */
async function loseWorkers(pid: number): Promise<void> {
  const kms = new KMS({
    endpoint: `http://127.0.0.1:${ports.api}`,
    region: 'us-east-1',
    credentials: installation.credentials[home]!,
    maxAttempts: 5,
  })
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  process.kill(children[0]!, 'SIGKILL')
  for (let count = 0; count < 20; count++) await kms.generateRandom({ NumberOfBytes: 8 })
  await vi.waitFor(
    async () => expect(await ask(ports.metrics, '/metrics')).toMatch(/^strongroom_hsm_workers\{hsm="softhsm"\} 2$/m),
    { timeout: 20_000 },
  )
  kms.destroy()
}

async function stop(gateway: ChildProcess): Promise<number | null> {
  gateway.kill('SIGTERM')
  const [code] = gateway.exitCode === null ? await once(gateway, 'exit') : [gateway.exitCode]
  return code
}

/** A pipe that is full, and the end of it for the gateway, which waits when it writes. */
function fullPipe(): number {
  const path = join(installation.folder, `pipe-${process.hrtime.bigint()}`)
  execFileSync('mkfifo', [path])
  const filler = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  try {
    for (;;) writeSync(filler, Buffer.alloc(4096))
  } catch {
    return openSync(path, constants.O_WRONLY)
  }
}

describe('calls are answered, a lost worker is replaced, and SIGTERM ends the gateway', () => {
  it('when the disk of standard error is full', async () => {
    const gateway = await start('exec "$@" 2>/dev/full', 'ignore')
    await loseWorkers(gateway.pid!)
    expect(await droppedLines()).toBeGreaterThan(2)
    expect(await stop(gateway)).toBe(0)
  })

  it('when that of standard output is full, too', async () => {
    const gateway = await start('exec "$@" >/dev/full 2>/dev/full', 'ignore')
    await loseWorkers(gateway.pid!)
    expect(await stop(gateway)).toBe(0)
  })

  it('when whoever read both has gone away', async () => {
    const gateway = await start('exec "$@"', ['ignore', 'pipe', 'pipe'])
    gateway.stdout!.destroy()
    gateway.stderr!.destroy()
    await loseWorkers(gateway.pid!)
    expect(await droppedLines()).toBeGreaterThan(0)
    expect(await stop(gateway)).toBe(0)
  })

  it('when nobody reads the pipes that both are', async () => {
    const pipe = fullPipe()
    const gateway = await start('exec "$@"', ['ignore', pipe, pipe])
    await loseWorkers(gateway.pid!)
    expect(await stop(gateway)).toBe(0)
  })

  it('when both are closed', async () => {
    const gateway = await start('exec "$@" >&- 2>&-', 'ignore')
    await loseWorkers(gateway.pid!)
    expect(await stop(gateway)).toBe(0)
  })
})
