/** All sinks of a gateway. */
import type { SinkConfig } from '../../config/audit-sinks.ts'
import type { Log } from '../../log.ts'
import type { Journal } from '../journal.ts'
import { placeOf } from '../position.ts'
import type { BlockEnd } from './messages.ts'
import { type RecordSinkEvent, SinkProcess, type SinkState } from './sink-process.ts'

export interface SinksOptions {
  readonly sinks: Readonly<Record<string, SinkConfig>>
  /** Path of the segment that is being written. */
  readonly file: string
  readonly secretsOf: (sink: SinkConfig) => Readonly<Record<string, string>>
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly log: Log
}

export class Sinks {
  readonly #options: SinksOptions
  #processes: readonly SinkProcess[] = []

  constructor(options: SinksOptions) {
    this.#options = options
  }

  get all(): readonly SinkState[] {
    return this.#processes.map(({ state }) => state)
  }

  /** Starts to deliver what is in the journal, and what comes. */
  follow(journal: Pick<Journal, 'head' | 'position' | 'follow'>, record: RecordSinkEvent): void {
    const { sinks, file, secretsOf, clock, log } = this.#options
    this.#processes = Object.entries(sinks).map(
      ([name, config]) =>
        new SinkProcess({ name, config, journal: file, secrets: secretsOf(config), clock, log, record }),
    )
    if (this.#processes.length === 0) return
    const tell = (place: BlockEnd) => {
      for (const process of this.#processes) process.tell(place)
    }
    tell({ ...journal.head, offset: placeOf(journal.position)!.offset })
    journal.follow(({ head, offset, length }) => tell({ ...head, offset: offset + length }))
    for (const process of this.#processes) process.start()
  }

  /** Once the journal is closed. What cannot be delivered within so many milliseconds is delivered after the next start. */
  async close(grace = 3000): Promise<void> {
    await Promise.all(this.#processes.map(process => process.close(grace)))
  }
}
