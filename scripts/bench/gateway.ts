import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { KMSClient } from '@aws-sdk/client-kms'
import { parse, stringify } from 'yaml'

/** A gateway of its own data folder, started as a user would start it. */

const root = join(import.meta.dirname, '../..')
const main = join(root, 'src/main.ts')

export const region = 'us-east-1'

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface BenchGateway {
  readonly url: string
  readonly pid: number
  readonly client: KMSClient
  stop(): Promise<void>
}

export class DataFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'strongroom-bench-'))

  constructor() {
    execFileSync(process.execPath, [main, 'init', '--data', this.path], { stdio: ['ignore', 'ignore', 'inherit'] })
  }

  get credentials(): Credentials {
    const text = readFileSync(join(this.path, 'credentials'), 'utf8')
    const read = (name: string) => new RegExp(`^${name} = (.*)$`, 'm').exec(text)![1]!
    return { accessKeyId: read('aws_access_key_id'), secretAccessKey: read('aws_secret_access_key') }
  }

  configure(change: (config: Record<string, unknown>) => void): void {
    const file = join(this.path, 'strongroom.yaml')
    const config = parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    change(config)
    writeFileSync(file, stringify(config))
  }

  /**
   * @param environment beside this process's own
   * @param ca certificate of the gateway, if it has one
   */
  async serve(environment: Readonly<Record<string, string>> = {}, ca?: string): Promise<BenchGateway> {
    const port = await freePort()
    const args = ['--data', this.path, '--port', String(port)]
    const child = spawn(join(root, 'scripts/start'), args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ...environment },
    })
    const url = await announcedUrl(child)
    return {
      url,
      pid: child.pid!,
      client: new KMSClient({
        endpoint: url,
        region,
        credentials: this.credentials,
        ...(ca !== undefined && { requestHandler: { httpsAgent: { ca } } }),
      }),
      async stop() {
        child.kill('SIGTERM')
        await once(child, 'exit')
      },
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true })
  }
}

/** Two free ports in a row: the second one is for the metrics. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

export async function announcedUrl(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /https?:\/\/\S+/.exec(line)?.[0]
    if (url) {
      child.stdout!.resume()
      return url
    }
  }
  throw new Error('the server ended before it was ready')
}
