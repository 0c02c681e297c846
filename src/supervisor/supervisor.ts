/** Several gateway processes behind one port: starts them, restarts those that end, and replaces one after another. */
import cluster, { type ClusterSettings } from 'node:cluster'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { configOfProcess, processCount } from '../config/processes.ts'
import type { Config } from '../config.ts'
import { OperatorError } from '../errors.ts'
import type { Log } from '../log.ts'
import { GatewayProcess } from './gateway-process.ts'
import type { Start, Urls } from './messages.ts'
import type { SharedDatabase } from './shared-database.ts'
import { Slot, type SlotMeans } from './slot.ts'

/** Starts that may fail in a row while no process serves. */
const mostFailures = 5

export interface SupervisorMeans extends Omit<Start, 'config' | 'hasDatabase'> {
  /** The database that they share, if the engine is embedded. */
  readonly database: SharedDatabase | undefined
  /** Reads the configuration anew. Throws OperatorError. */
  readonly read: () => Config
  readonly log: Log
}

export class Supervisor {
  readonly #means: SupervisorMeans
  readonly #slots = new Map<number, Slot>()
  readonly #failed = Promise.withResolvers<never>()
  #config: Config
  /** Number of the process that runs in addition during a roll. */
  #additional: number | undefined
  #rolling: Promise<void> | undefined
  #rollsAgain = false
  #isClosing = false

  constructor(config: Config, means: SupervisorMeans) {
    this.#config = config
    this.#means = means
    this.#failed.promise.catch(() => {})
    // The kernel gives each connection to one of the processes, which share the socket: docs/fleet.md.
    cluster.schedulingPolicy = cluster.SCHED_NONE
    cluster.setupPrimary({
      exec: fileURLToPath(new URL(`./process${extname(import.meta.url)}`, import.meta.url)),
      args: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    } satisfies ClusterSettings)
  }

  get slots(): readonly Slot[] {
    return [...this.#slots.values()]
  }

  /** Rejects with OperatorError when no process serves, and none can be started. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** Starts all processes. Rejects with the OperatorError of one that cannot start. */
  async start(): Promise<Urls> {
    // Alone, as it may be the one that migrates the database or creates what is missing.
    const urls = await this.#add(1, this.#config)
    const others = Array.from({ length: processCount(this.#config) - 1 }, (_, index) => index + 2)
    await Promise.all(others.map(number => this.#add(number, this.#config)))
    return urls
  }

  /** Replaces all processes, by the configuration as it is then. Never rejects. */
  async roll(): Promise<void> {
    this.#rollsAgain = true
    this.#rolling ??= this.#roll().finally(() => (this.#rolling = undefined))
    await this.#rolling
  }

  /** @param why for the audit records */
  async close(why: string): Promise<void> {
    this.#isClosing = true
    await Promise.all(this.slots.map(slot => slot.stop(why)))
    await this.#rolling
  }

  async #roll(): Promise<void> {
    const { log } = this.#means
    while (this.#rollsAgain && !this.#isClosing) {
      this.#rollsAgain = false
      try {
        log.info({ event: 'roll_started' }, 'Replacing the gateway processes one after another')
        await this.#replaceAll(this.#means.read())
        log.info({ event: 'roll_ended' }, 'Gateway processes replaced')
      } catch (error) {
        if (this.#isClosing) return
        const reason = (error as Error).message
        log.error({ event: 'roll_failed', reason }, 'Gateway processes not replaced: the others continue as they are')
      }
    }
  }

  /**
   * An additional process starts first: it shows that the configuration works before any other ends, and there are never fewer than
   * before.
   */
  async #replaceAll(config: Config): Promise<void> {
    checkKept(this.#config, config)
    // A roll that failed half-way has left its additional process, and perhaps others that are too many.
    if (this.#additional !== undefined) await this.#remove(this.#additional)
    const count = processCount(config)
    const additional = Math.max(count, ...this.#slots.keys()) + 1
    await this.#add(additional, config)
    this.#additional = additional
    this.#config = config
    for (let number = 1; number < additional; number++) {
      if (this.#isClosing) return
      const slot = this.#slots.get(number)
      if (number > count) await this.#remove(number)
      else if (slot === undefined) await this.#add(number, config)
      else await slot.replace(configOfProcess(config, number))
    }
    await this.#remove(additional)
  }

  async #add(number: number, config: Config): Promise<Urls> {
    const slot = new Slot(configOfProcess(config, number), this.#slotMeans)
    this.#slots.set(number, slot)
    try {
      return await slot.start()
    } catch (error) {
      this.#slots.delete(number)
      throw error
    }
  }

  async #remove(number: number): Promise<void> {
    await this.#slots.get(number)?.stop('restart', true)
    this.#slots.delete(number)
  }

  get #slotMeans(): SlotMeans {
    return {
      log: this.#means.log,
      launch: config => this.#launch(config),
      ended: gateway => this.#endLease(gateway),
      failed: (error, failures) => {
        if (failures < mostFailures || this.slots.some(({ state }) => state === 'ready')) return
        this.#failed.reject(new OperatorError(`no gateway process can start: ${error.message}`, { cause: error }))
      },
    }
  }

  async #launch(config: Config) {
    if (this.#isClosing) throw new Error('the gateway is stopping')
    const { database, umask } = this.#means
    const process = new GatewayProcess(cluster.fork(), database)
    try {
      await process.opened
      const urls = await process.start({ config, umask, hasDatabase: database !== undefined })
      return { process, urls }
    } catch (error) {
      process.kill()
      await process.ended
      // It may have got as far as that.
      this.#endLease(config.gateway)
      throw error
    }
  }

  /** Of a process that has ended: others would wait for it. */
  #endLease(gateway: string): void {
    const { database, log } = this.#means
    database?.endLease(gateway).catch((err: unknown) => {
      log.warn({ event: 'lease_not_ended', process: gateway, err }, 'The lease of an ended process still runs')
    })
  }
}

/** What this process holds is not replaced with the others. */
function checkKept(before: Config, after: Config): void {
  const kept: Readonly<Record<string, (config: Config) => unknown>> = {
    listen: ({ listen: { host, port } }) => [host, port],
    'xks.listen': ({ xks }) => xks && [xks.listen.host, xks.listen.port],
    metrics: ({ metrics }) => metrics,
    storage: ({ storage }) => storage,
    administration: ({ administration }) => administration,
    processes: config => processCount(config) > 1,
  }
  for (const [setting, read] of Object.entries(kept)) {
    if (JSON.stringify(read(before)) === JSON.stringify(read(after))) continue
    throw new OperatorError(`${setting} has changed: restart the gateway`)
  }
}
