/** Sessions of one slot: borrowed, used and given back or discarded in one function. */
import { Failure } from '../../errors.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'

export class SessionPool {
  readonly #cryptoki: Cryptoki
  readonly #slot: Handle
  readonly #most: number
  #idle: Handle[] = []
  #borrowed = 0
  readonly #waiting: (() => void)[] = []
  /** Grows when all sessions are given up: one that was borrowed before is not taken back. */
  #generation = 0

  /** @param most sessions that are in use at the same time: who comes after them waits */
  constructor(cryptoki: Cryptoki, slot: Handle, most: number) {
    this.#cryptoki = cryptoki
    this.#slot = slot
    this.#most = most
  }

  /**
   * Runs one operation in a session that nobody else uses. An error may leave the operation active, which spoils the session
   * for the next one, so the session is closed; only a Failure says that the operation ended as it should.
   */
  async run<T>(use: (session: Handle) => Promise<T>): Promise<T> {
    if (this.#borrowed < this.#most) this.#borrowed++
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
    const generation = this.#generation
    let session: Handle | undefined
    try {
      session = this.#idle.pop() ?? this.#cryptoki.openSession(this.#slot)
      const result = await use(session)
      this.#giveBack(session, generation)
      return result
    } catch (error) {
      if (session !== undefined && error instanceof Failure) this.#giveBack(session, generation)
      else if (session !== undefined) this.#cryptoki.discardSession(session)
      throw error
    } finally {
      this.#letNext()
    }
  }

  /** Closes the idle sessions: where one was lost, the others are too. */
  abandon(): void {
    this.#generation++
    const idle = this.#idle
    this.#idle = []
    for (const session of idle) this.#cryptoki.discardSession(session)
  }

  #giveBack(session: Handle, generation: number): void {
    if (generation === this.#generation) this.#idle.push(session)
    else this.#cryptoki.discardSession(session)
  }

  #letNext(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#borrowed--
    else next()
  }
}
