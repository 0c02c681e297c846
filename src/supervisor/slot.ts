/** A place for one gateway process: keeps one running, until it is told to end it. */
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { type GatewayProcess, PinRefused } from './gateway-process.ts'
import type { Urls } from './messages.ts'

/** Milliseconds before a restart; doubled after each failure, up to the longest. */
const firstPause = 50
const longestPause = 5000
/** Milliseconds after which a process that ends counts as one that had started. */
const stableAfter = 10_000

export type SlotState = 'starting' | 'ready' | 'stopping' | 'down'

export interface Launched {
  readonly process: GatewayProcess
  readonly urls: Urls
}

export interface SlotMeans {
  /** Rejects if there can be no further process. */
  launch(config: Config): Promise<Launched>
  /** The process of that gateway has ended. */
  ended(gateway: string): void
  /** A restart failed for the so manieth time in a row. */
  failed(error: Error, failures: number): void
  readonly log: Log
}

export class Slot {
  readonly #means: SlotMeans
  #config: Config
  #process: GatewayProcess | undefined
  #state: SlotState = 'down'
  /** Of the current process, and of starts in its place. */
  #ending = new AbortController()
  #isStopped = false
  #launching: Promise<Launched> | undefined
  #restarting: Promise<void> | undefined
  #failures = 0
  #restarts = 0

  /** @param config of its process */
  constructor(config: Config, means: SlotMeans) {
    this.#config = config
    this.#means = means
  }

  get state(): SlotState {
    return this.#state
  }

  get gateway(): string {
    return this.#config.gateway
  }

  /** Processes started in place of lost ones. */
  get restarts(): number {
    return this.#restarts
  }

  /** The process that serves, if there is one. */
  get process(): GatewayProcess | undefined {
    return this.#state === 'ready' ? this.#process : undefined
  }

  /** Starts the first process. Rejects if it cannot start; it is not tried again. */
  async start(): Promise<Urls> {
    try {
      return await this.#launch()
    } catch (error) {
      this.#state = 'down'
      throw error
    }
  }

  /** Finishes the requests of its process, then starts another with this configuration. Rejects if that fails, and keeps trying. */
  async replace(config: Config): Promise<void> {
    await this.#end('restart', true)
    if (this.#isStopped) return
    this.#ending = new AbortController()
    this.#config = config
    this.#failures = 0
    try {
      await this.start()
    } catch (error) {
      if (mayRetry(error)) this.#restarting = this.#restart()
      throw error
    }
  }

  /** Finishes the requests of its process, and ends it for good. @param why for its audit record. @param isReplaced see Gateway */
  async stop(why: string, isReplaced = false): Promise<void> {
    this.#isStopped = true
    await this.#end(why, isReplaced)
  }

  async #end(why: string, isReplaced: boolean): Promise<void> {
    this.#ending.abort()
    if (this.#state === 'ready') this.#state = 'stopping'
    await this.#restarting
    await this.#launching?.catch(() => undefined)
    await this.#process?.close(why, isReplaced)
    this.#state = 'down'
  }

  async #launch(): Promise<Urls> {
    this.#state = 'starting'
    this.#launching = this.#means.launch(this.#config)
    const { process, urls } = await this.#launching
    const startedAt = performance.now()
    this.#process = process
    this.#state = 'ready'
    void process.ended.then(reason => this.#ended(process.pid, reason, performance.now() - startedAt))
    return urls
  }

  #ended(pid: number, reason: string, lived: number): void {
    this.#process = undefined
    this.#means.ended(this.gateway)
    if (this.#ending.signal.aborted) return
    this.#means.log.error(
      { event: 'process_lost', process: this.gateway, child: pid, reason },
      'A gateway process ended: starting another one',
    )
    this.#failures = lived < stableAfter ? this.#failures + 1 : 0
    this.#restarting = this.#restart()
  }

  async #restart(): Promise<void> {
    const { signal } = this.#ending
    this.#state = 'starting'
    while (!signal.aborted) {
      try {
        await pause(Math.min(longestPause, firstPause * 2 ** this.#failures), signal)
        if (signal.aborted) break
        await this.#launch()
        this.#restarts++
        this.#means.log.info({ event: 'process_restarted', process: this.gateway }, 'Gateway process restarted')
        return
      } catch (error) {
        if (signal.aborted) break
        this.#failures++
        const { message: reason } = error as Error
        this.#means.log.error(
          { event: 'process_start_failed', process: this.gateway, reason },
          'A gateway process cannot start',
        )
        this.#means.failed(error as Error, mayRetry(error) ? this.#failures : Number.POSITIVE_INFINITY)
        if (!mayRetry(error)) break
      }
    }
    this.#state = 'down'
  }
}

/** Ends early when the signal is given. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, milliseconds)
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
  clearTimeout(timer)
}

/** Tokens lock after a few wrong PINs. */
function mayRetry(error: unknown): boolean {
  return !(error instanceof PinRefused)
}
