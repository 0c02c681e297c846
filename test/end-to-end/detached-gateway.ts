/** A gateway whose output is not read: on known ports, started by a shell command. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { KMS } from '@aws-sdk/client-kms'
import { expect, vi } from 'vitest'
import { freePort } from '../free-port.ts'
import { home, type Installation, program } from './gateway.ts'
import { send } from './requests.ts'

export class DetachedGateway {
  readonly url: string
  readonly #metricsUrl: string
  readonly #process: ChildProcess
  readonly #installation: Installation

  private constructor(process: ChildProcess, ports: Ports, installation: Installation) {
    this.#process = process
    this.url = `http://127.0.0.1:${ports.api}`
    this.#metricsUrl = `http://127.0.0.1:${ports.metrics}/metrics`
    this.#installation = installation
  }

  /** Runs `serve` as "$@" of a shell command, and waits until it answers. */
  static async start(
    installation: Installation,
    command: string,
    stdio: StdioOptions = 'ignore',
  ): Promise<DetachedGateway> {
    const ports = { api: await freePort(), metrics: await freePort() }
    installation.configure(config => {
      config.listen.port = ports.api
      config.metrics = { port: ports.metrics }
    })
    const serve = [process.execPath, program(), 'serve', '--data', installation.folder]
    const { PATH } = process.env
    const child = spawn('sh', ['-c', command, 'sh', ...serve], { stdio, env: { PATH } })
    const gateway = new DetachedGateway(child, ports, installation)
    const isThere = async () => expect(await text(`${gateway.url}/healthz`)).toContain('ok')
    await vi.waitFor(isThere, { timeout: 25_000, interval: 50 })
    return gateway
  }

  get process(): ChildProcess {
    return this.#process
  }

  /** The value of a metric, by its name with its labels. */
  async metric(name: string): Promise<number> {
    const line = (await text(this.#metricsUrl)).split('\n').find(line => line.startsWith(`${name} `))
    return Number(line?.slice(name.length))
  }

  /** Kills an HSM worker and waits for its replacement, which logs a few lines. */
  async loseWorker(): Promise<void> {
    const credentials = this.#installation.credentials[home]!
    const kms = new KMS({ endpoint: this.url, region: 'us-east-1', credentials, maxAttempts: 5 })
    const ready = () => this.metric('strongroom_hsm_workers{hsm="softhsm"}')
    const [before, workers] = [await ready(), this.#children()]
    process.kill(workers[0]!, 'SIGKILL')
    for (let count = 0; count < 20; count++) await kms.generateRandom({ NumberOfBytes: 8 })
    const isReplaced = async () => {
      expect(this.#children()).not.toContain(workers[0])
      expect(this.#children()).toHaveLength(workers.length)
      expect(await ready()).toBe(before)
    }
    await vi.waitFor(isReplaced, { timeout: 20_000, interval: 100 })
    kms.destroy()
  }

  #children(): number[] {
    const { pid } = this.#process
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  }

  /** Resolves to the exit code. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return this.#process.exitCode
    const ended = once(this.#process, 'exit')
    this.#process.kill(signal)
    const [code] = await ended
    return code
  }
}

interface Ports {
  readonly api: number
  readonly metrics: number
}

async function text(url: string): Promise<string> {
  return (await send(url, {})).body
}
