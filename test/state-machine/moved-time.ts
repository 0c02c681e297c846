import type { Time } from '../../src/assemble.ts'
import type { Repeat } from '../../src/jobs/schedule.ts'

interface Repeated {
  readonly run: () => Promise<void>
  readonly interval: number
  dueAt: number
  running: Promise<void>
}

/** The time of a gateway in this process: stands still until a test moves it. Both clocks agree, so that the wall clock is trusted. */
export class MovedTime implements Time {
  /** Milliseconds since the epoch. */
  now: number
  readonly #start: number
  readonly #repeated = new Set<Repeated>()

  constructor(now: number) {
    this.now = now
    this.#start = now
  }

  readonly clock = () => this.now
  readonly elapsed = () => this.now - this.#start

  readonly repeat: Repeat = (run, interval) => {
    const repeated: Repeated = { run, interval, dueAt: this.now + interval, running: run() }
    this.#repeated.add(repeated)
    return {
      close: () => {
        this.#repeated.delete(repeated)
        return repeated.running
      },
    }
  }

  /** Resolves when every job that is due then has run once. */
  async moveTo(time: number): Promise<void> {
    await this.#settled()
    this.now = time
    for (const repeated of this.#repeated) {
      if (repeated.dueAt > time) continue
      repeated.dueAt = time + repeated.interval
      repeated.running = repeated.run()
    }
    await this.#settled()
  }

  async #settled(): Promise<void> {
    await Promise.all([...this.#repeated].map(({ running }) => running))
  }
}
