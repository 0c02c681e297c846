/** Hears the notifications of other gateways. They only save time: whoever misses one finds out by looking. */
import { setTimeout as sleep } from 'node:timers/promises'
import { escapeIdentifier } from 'pg'
import type { Session } from './session.ts'

/** Milliseconds between attempts to open a session. */
const delay = 1000

/** Milliseconds between questions to the server: one that is gone, or behind a proxy that hangs, would never say anything again. */
const interval = 2000

export class Listener {
  readonly channel: string
  readonly #open: () => Promise<Session>
  readonly #listeners: (() => void)[] = []
  readonly #closing = new AbortController()
  #session: Session | undefined
  #running: Promise<void> | undefined

  /** @param schema several storages may be in one database, whose notifications are for all of it */
  constructor(open: () => Promise<Session>, schema: string) {
    this.#open = open
    this.channel = `strongroom.${schema}`.slice(0, 63)
  }

  watch(listener: () => void): void {
    this.#listeners.push(listener)
    this.#running ??= this.#run()
  }

  /** Opens another session if this one gives no answer. */
  check(): void {
    const session = this.#session
    session?.query('select 1').catch(() => session.abandon())
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#session?.abandon()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      await this.#listen().catch(() => {})
      await sleep(delay, undefined, { ref: false, signal }).catch(() => {})
    }
  }

  /** Until the session ends, or gives no answer. */
  async #listen(): Promise<void> {
    const session = await this.#open()
    this.#session = session
    const ended = new Promise(resolve => session.once('end', resolve))
    if (this.#closing.signal.aborted) session.abandon()
    const wake = () => {
      for (const listener of this.#listeners) listener()
    }
    session.on('notification', wake)
    await session.query(`listen ${escapeIdentifier(this.channel)}`)
    // For what happened while nobody listened.
    wake()
    const timer = setInterval(() => this.check(), interval).unref()
    await ended
    clearInterval(timer)
    this.#session = undefined
  }
}
