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
  #kms!: KMS

  static async start(): Promise<RunningGateway> {
    const running = new RunningGateway(await install())
    running.installation.configure(config => Object.assign(config, { log: { level: 'fatal' } }))
    await running.#start()
    return running
  }

  private constructor(installation: Installation) {
    this.installation = installation
    this.time = new MovedTime(Date.now())
    this.faults = installFaults(installation)
  }

  async #start(): Promise<void> {
    const config = readConfig(join(this.installation.folder, 'strongroom.yaml'), { port: 0 })
    this.#gateway = await startGateway(config, undefined, this.time)
    this.#kms = new KMS({
      endpoint: this.#gateway.url,
      region: 'us-east-1',
      credentials: this.installation.credentials[home]!,
      maxAttempts: 1,
    })
  }

  /** Signs with the time of the gateway. */
  get kms(): KMS {
    this.#kms.config.systemClockOffset = this.time.now - Date.now()
    return this.#kms
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.#start()
  }

  async stop(): Promise<void> {
    this.#kms.destroy()
    await this.#gateway.close()
  }

  async end(): Promise<void> {
    await this.stop()
    this.installation.remove()
  }
}
