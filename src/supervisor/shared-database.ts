/** The database of several gateway processes, of which SQLite lets only one process have the file: this one. */
import { type Answer, answerCall, type Call } from '../remote-objects.ts'
import type { SqlDatabase } from '../storage/sql-database.ts'

/** After these, the other processes are told that something has changed. */
const changing: ReadonlySet<PropertyKey> = new Set<keyof SqlDatabase>([
  'commit',
  'acknowledge',
  'renewLease',
  'endLease',
  'removeGateway',
])

/** One of the processes. */
export interface Sharer {
  /** Resolves once it is answered. */
  call(call: Call): Promise<void>
  end(): void
}

export class SharedDatabase {
  readonly #database: SqlDatabase
  readonly #changed = new Set<() => void>()

  constructor(database: SqlDatabase) {
    this.#database = database
  }

  /**
   * Adds a process.
   *
   * @param answered gets the answer of each of its calls
   * @param changed called when another process has changed something
   */
  join(answered: (answer: Answer) => void, changed: () => void): Sharer {
    this.#changed.add(changed)
    return {
      call: async call => {
        answered(await this.#answer(call))
        if (changing.has(call.method)) this.#tellOthers(changed)
      },
      end: () => void this.#changed.delete(changed),
    }
  }

  /** Of a process that has ended. */
  async endLease(gateway: string): Promise<void> {
    await this.#database.endLease(gateway)
    this.#tellOthers()
  }

  /** Once no process uses it. */
  close(): Promise<void> {
    return this.#database.close()
  }

  async #answer(call: Call): Promise<Answer> {
    // A process that closes its storage does not close that of the others.
    return call.method === 'close' ? { id: call.id } : answerCall(this.#database, call)
  }

  #tellOthers(except?: () => void): void {
    for (const changed of this.#changed) if (changed !== except) changed()
  }
}
