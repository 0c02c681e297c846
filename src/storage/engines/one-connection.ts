/** One connection, which does one thing at a time. */
import { type Dialect, Kysely } from 'kysely'
import type { Connections, Work } from './engine.ts'

export interface OneConnectionOptions {
  readonly dialect: Dialect
  /** Throws if writes would be lost. */
  verify(): void
}

/** Calls run in their order. */
export class OneConnection<D> implements Connections<D> {
  readonly #verify: () => void
  readonly #db: Kysely<D>
  #lockedBy: string | undefined
  /** Resolves when the previous call has ended. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor({ dialect, verify }: OneConnectionOptions) {
    this.#db = new Kysely({ dialect })
    this.#verify = verify
  }

  read<T>(work: Work<D, T>): Promise<T> {
    return this.#inTurn(() => work(this.#db))
  }

  write<T>(work: Work<D, T>): Promise<T> {
    return this.#inTurn(() => {
      this.#verify()
      return this.#db.transaction().execute(work)
    })
  }

  migrate<T>(work: Work<D, T>): Promise<T> {
    return this.#inTurn(async () => {
      const done = await this.#db.transaction().execute(work)
      this.#verify()
      return done
    })
  }

  async reached(): Promise<void> {}

  async notify(): Promise<void> {}

  /** Nobody else has the database. */
  watch(): void {}

  /** All gateways are those of this process. */
  async lock(gateway: string): Promise<'taken' | 'kept' | undefined> {
    const holder = this.#lockedBy
    if (holder !== undefined) return holder === gateway ? 'kept' : undefined
    this.#lockedBy = gateway
    return 'taken'
  }

  async unlock(gateway: string): Promise<void> {
    if (this.#lockedBy === gateway) this.#lockedBy = undefined
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#db.destroy())
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }
}
