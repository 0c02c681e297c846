/** A gateway in this process, on a SoftHSM token of its own, whose time is moved. */
import { join } from 'node:path'
import { KMS } from '@aws-sdk/client-kms'
import { type Gateway, startGateway } from '../../src/assemble.ts'
import { readConfig } from '../../src/config.ts'
import { installFaults } from '../end-to-end/fault-injection.ts'
import { home, type Installation, install } from '../end-to-end/gateway.ts'
import type { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { MovedTime } from './moved-time.ts'

export class RunningGateway {
  readonly installation: Installation
  readonly time: MovedTime
  /** Of its HSM. */
  readonly faults: FaultHsm
  #gateway!: Gateway
  readonly #regions: readonly string[]
  readonly #clients = new Map<string, KMS>()

  /** @param regions all on the same HSM */
  static async start(regions: readonly string[] = ['us-east-1']): Promise<RunningGateway> {
    const running = new RunningGateway(await install(), regions)
    running.installation.configure(config => {
      config.log = { level: 'fatal' }
      config.regions = Object.fromEntries(regions.map(region => [region, 'softhsm']))
    })
    await running.#start()
    return running
  }

  private constructor(installation: Installation, regions: readonly string[]) {
    this.installation = installation
    this.#regions = regions
    this.time = new MovedTime(Date.now())
    this.faults = installFaults(installation)
  }

  async #start(): Promise<void> {
    const config = readConfig(join(this.installation.folder, 'strongroom.yaml'), { port: 0 })
    this.#gateway = await startGateway(config, undefined, this.time)
    for (const region of this.#regions) {
      const credentials = this.installation.credentials[home]!
      this.#clients.set(region, new KMS({ endpoint: this.#gateway.url, region, credentials, maxAttempts: 1 }))
    }
  }

  /** Of the first region. */
  get kms(): KMS {
    return this.kmsIn()
  }

  /** Signs with the time of the gateway. */
  kmsIn(region = this.#regions[0]!): KMS {
    const client = this.#clients.get(region)!
    client.config.systemClockOffset = this.time.now - Date.now()
    return client
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.#start()
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.values()) client.destroy()
    await this.#gateway.close()
  }

  async end(): Promise<void> {
    await this.stop()
    this.installation.remove()
  }
}
